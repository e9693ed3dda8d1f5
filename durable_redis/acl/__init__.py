"""Access control: users, what their rules allow, and what was denied.

Pure: nothing here knows of sockets, clients or the disk.  The engine asks :meth:`users.Users` who a client
is and :func:`check.check` whether a command may run; ``commands/acl*.py`` are the words of the ACL command.
"""
