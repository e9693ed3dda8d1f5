"""Who clients are and what they may do: the users of a server, at the side of its engine.

The rules themselves are in ``acl/``; here they meet options (``requirepass``, ``aclfile``, ``user`` lines),
connected clients and the disk.  What changes takes effect at once: clients are refreshed, so that
unrestricted ones stay on the hot path, and those whose user is gone are closed.

The file is replaced as a whole: written anew, synced, renamed, its directory synced.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, Final

from durable_redis.acl.catalog import Catalog
from durable_redis.acl.check import AUTH, Denial, check, may_read_all_keys
from durable_redis.acl.file import AclFileError, parse_users
from durable_redis.acl.log import DenialLog, Entry
from durable_redis.acl.selector import RuleError, merge_selectors
from durable_redis.acl.users import DEFAULT_USER, User, Users
from durable_redis.commands.client_list import describe_client
from durable_redis.commands.session import Client
from durable_redis.commands.table import Command
from durable_redis.errors import ReplyError, UsageError, shown
from storage.disk import Disk, RealDisk, read_file, write_fully

FILE_BYTES_MAX: Final = 64 << 20
NO_FILE: Final = (
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the "
    "ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) "
    "in order to store users in the Redis configuration."
)
NOT_SAVED: Final = (
    "ERR There was an error trying to save the ACLs. Please check the server logs for more information"
)
FILE_AND_LINES: Final = "users are defined both in the configuration and in the file of option 'aclfile'"

logger = logging.getLogger("durable_redis")


class Access:
    """Users, the log of denials, and the clients that they concern.

    ``server`` has ``config``, ``clients``, ``keyspace``, ``refresh`` and ``kill_client``.
    """

    def __init__(self, server: Any, commands: dict[str, Command], disk: Disk | None = None) -> None:
        self._server = server
        self._disk = disk or RealDisk()
        config = server.config
        self.users = Users(Catalog(commands), config.get_str("acl-pubsub-default") == "allchannels")
        self.nobody = self.users.new(b"")
        self.log = DenialLog(config.get_int("acllog-max-len"))
        self.denied = dict.fromkeys(("auth", "command", "key", "channel"), 0)
        self.password_changed()

    # -- start -----------------------------------------------------------------------------------------------

    def load_configured(self, lines: list[tuple[str, list[bytes]]]) -> None:
        """The users of the configuration's lines, or of the file.  Raises :class:`UsageError`."""
        path = self._server.config.get_str("aclfile")
        if path and lines:
            raise UsageError(FILE_AND_LINES, "use one of them")
        seen: set[bytes] = set()
        for place, words in lines:
            self._load_line(place, words, seen)
        if path:
            try:
                self.users.by_name = self._read(path)
            except ReplyError as error:
                raise UsageError(str(error).removeprefix("ERR "), "see option 'aclfile'") from error

    def _load_line(self, place: str, words: list[bytes], seen: set[bytes]) -> None:
        if not words or words[0] in seen:
            raise UsageError(f"{place}: a 'user' line needs a name, and each user has one line", "")
        seen.add(words[0])
        user = self.users.new(words[0])
        merged, unclosed = merge_selectors(words[1:])
        if unclosed is not None:
            raise UsageError(f"{place}: unmatched parenthesis in the rules of a user", "")
        for rule in merged:
            try:
                user.apply(rule, self.users.all_channels)
            except RuleError as error:
                raise UsageError(f"{place}: wrong rule for user '{shown(words[0])}': {error}", "") from error
        self.users.by_name[words[0]] = user

    # -- options ---------------------------------------------------------------------------------------------

    def password_changed(self) -> None:
        """``requirepass`` is the default user's password."""
        config = self._server.config
        self.users.set_default_password(config.get_str("requirepass").encode("utf-8", "surrogateescape"))
        self._changed()

    def options_changed(self) -> None:
        """``acllog-max-len`` or ``acl-pubsub-default`` has changed."""
        config = self._server.config
        self.users.all_channels = config.get_str("acl-pubsub-default") == "allchannels"
        self.log.length_max = config.get_int("acllog-max-len")
        del self.log.entries[self.log.length_max :]

    def configuration_lines(self) -> list[str]:
        """The ``user`` lines for CONFIG REWRITE: none if there is a file, or nothing but the default."""
        config = self._server.config
        if config.get_str("aclfile"):
            return []
        plain = Users(self.users.catalog)
        plain.set_default_password(config.get_str("requirepass").encode("utf-8", "surrogateescape"))
        lines = self.users.lines()
        return [] if lines == plain.lines() else [line.decode("utf-8", "surrogateescape") for line in lines]

    # -- clients ---------------------------------------------------------------------------------------------

    def restricted(self, client: Client) -> User | None:
        """The client's user if there is anything to check for it."""
        user = self.users.by_name.get(client.user, self.nobody)
        return None if user.unrestricted else user

    def authenticate(self, client: Client, name: bytes, password: bytes, word: bytes) -> bool:
        """Let the client be another user if the password is right; a wrong one is logged."""
        if not self.users.authenticates(name, password):
            self._note(client, AUTH, "toplevel", word, name)
            return False
        client.authenticated = True
        client.let_in = False
        client.user = name
        return True

    def demand(self, client: Client, user: User, command: Command, argv: list[bytes]) -> None:
        """Raise NOPERM, and log it, unless the user may run the command."""
        denial = check(user, command, argv)
        if denial is not None:
            client.last_command = command.name
            self.note_denial(client, denial, "toplevel" if client.transaction is None else "multi")
            raise ReplyError(denial.reply)

    def reads_all_keys(self, client: Client, command: Command, argv: list[bytes]) -> bool:
        """Whether SORT may follow patterns to keys that no argument names."""
        user = client.permissions
        return user is None or may_read_all_keys(user, command, argv)

    def note_denial(self, client: Client, denial: Denial, context: str) -> None:
        """Log what was denied; ``context`` is toplevel, multi, lua or module."""
        self._note(client, denial.reason, context, denial.object, client.user)

    def _note(self, client: Client, reason: str, context: str, what: bytes, name: bytes) -> None:
        self.denied[reason] += 1
        now_ms = self._server.keyspace.now_ms
        info = describe_client(client, now_ms).rstrip(b"\n")
        self.log.add(Entry(reason, context, what, name, info, now_ms))

    def check(self, user: User, command: Command, argv: list[bytes]) -> Denial | None:
        """None if the user may run the command; for MULTI, scripts and ACL DRYRUN."""
        return check(user, command, argv)

    # -- changes ---------------------------------------------------------------------------------------------

    def set_user(self, name: bytes, rules: list[bytes]) -> None:
        """ACL SETUSER: all of the rules or none."""
        try:
            user = self.users.changed(name, rules)
        except ValueError as error:
            raise ReplyError(f"ERR {error}") from error
        self.users.by_name[name] = user
        self._changed()
        self._close_lost(user)

    def delete_users(self, names: list[bytes], caller: Client) -> int:
        """ACL DELUSER; how many there were.  Their clients are closed, the caller after its reply."""
        deleted = {name for name in names if self.users.by_name.pop(name, None) is not None}
        self._close_clients(lambda client: client.user in deleted, caller)
        return len(deleted)

    def load_file(self, caller: Client) -> None:
        """ACL LOAD: everybody but the default user's clients has to come again, as in Redis 7.0."""
        before = self.users.by_name
        self.users.by_name = self._read(self._path())
        self._close_clients(lambda client: client.user != DEFAULT_USER and client.user in before, caller)
        self._changed()
        self._close_lost(self.users.default)

    def save_file(self) -> None:
        """ACL SAVE: replace the file as a whole."""
        path = os.path.abspath(self._path())
        data = b"".join(line + b"\n" for line in self.users.lines())
        try:
            self._replace(path, data)
        except OSError as error:
            logger.error("cannot save the users in %s: %s", path, error.strerror or error)
            raise ReplyError(NOT_SAVED) from error

    def _replace(self, path: str, data: bytes) -> None:
        disk, directory = self._disk, os.path.dirname(path)
        handle, temporary = tempfile.mkstemp(
            prefix=f"{os.path.basename(path)}.", suffix=".new", dir=directory
        )
        try:
            try:
                write_fully(disk, handle, data, 0)
                disk.fsync(handle)
            finally:
                disk.close(handle)
            disk.rename(temporary, path)
        except BaseException:
            disk.unlink(temporary)
            raise
        disk.sync_directory(directory)

    def _path(self) -> str:
        path: str = self._server.config.get_str("aclfile")
        if not path:
            raise ReplyError(NO_FILE)
        return path

    def _read(self, path: str) -> dict[bytes, User]:
        try:
            if self._disk.size(path) > FILE_BYTES_MAX:
                raise ReplyError(f"ERR Error loading ACLs, '{path}' is larger than {FILE_BYTES_MAX} bytes")
            text = read_file(self._disk, path)
        except OSError as error:
            why = error.strerror or str(error)
            raise ReplyError(f"ERR Error loading ACLs, opening file '{path}': {why}") from error
        try:
            return parse_users(self.users, path, text)
        except AclFileError as error:
            raise ReplyError(f"ERR {error}") from error

    def _changed(self) -> None:
        """Users are others than before: clients see it at once."""
        is_open = self.users.default.is_open
        for client in self._server.clients.values():
            if is_open and not client.authenticated:
                client.authenticated = client.let_in = True
            elif client.let_in and not is_open:
                client.authenticated = client.let_in = False
            self._server.refresh(client)

    def _close_clients(self, chosen: Callable[[Client], bool], caller: Client) -> None:
        for client in list(self._server.clients.values()):
            if chosen(client):
                if client is caller:
                    client.closing = True
                    self._server.refresh(client)
                else:
                    self._server.kill_client(client)

    def _close_lost(self, user: User) -> None:
        """Close the user's clients that listen to channels which it may not use any more."""
        selectors = user.all_selectors
        for client in list(self._server.clients.values()):
            if client.user == user.name and not all(
                any(selector.allows_channel(channel, is_pattern) for selector in selectors)
                for channel, is_pattern in _heard_by(client)
            ):
                self._server.kill_client(client)


def _heard_by(client: Client) -> Iterator[tuple[bytes, bool]]:
    """The channels that a client listens to, and whether each is a pattern."""
    heard = client.subscriptions
    if heard is not None:
        for channel in (*heard.channels, *heard.shard_channels):
            yield channel, False
        for pattern in heard.patterns:
            yield pattern, True
