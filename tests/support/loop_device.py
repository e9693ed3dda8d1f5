"""A file system in a file, and what the file holds at the instant the power goes.

The kernel writes to the backing file only what the inner file system has been told to sync (or has written
back by itself), so a copy of the backing file, made while the server is frozen, is the disk after a power
cut.  Needs root, loop devices and ext4; :func:`require_loop_devices` skips with the reason where they are
missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final, Self

import pytest

IMAGE_BYTES: Final = 512 << 20


class LoopDisk:
    """An ext4 file system in ``image``, mounted at ``mount_point`` while the context lasts."""

    def __init__(self, image: Path, mount_point: Path) -> None:
        self.image = image
        self.mount_point = mount_point
        self.mounted = False

    def __enter__(self) -> Self:
        self.mount()
        return self

    def __exit__(self, *_: object) -> None:
        self.unmount()

    def make(self) -> None:
        """Create the image and the file system in it."""
        with self.image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-F", str(self.image))

    def mount(self) -> None:
        """Attach the image to a loop device and mount it."""
        self.mount_point.mkdir(exist_ok=True)
        run("mount", "-t", "ext4", "-o", "loop", str(self.image), str(self.mount_point))
        self.mounted = True

    def unmount(self) -> None:
        """Unmount; the loop device detaches itself with the mount."""
        if self.mounted:
            run("umount", str(self.mount_point))
            self.mounted = False

    def copy_as_after_power_cut(self, image: Path, mount_point: Path) -> LoopDisk:
        """What the disk would hold if the power went now."""
        run("cp", "--sparse=always", str(self.image), str(image))
        return LoopDisk(image, mount_point)


def run(*words: str) -> None:
    """Run a program; raise ``RuntimeError`` with what it printed when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")


def require_loop_devices(directory: Path) -> None:
    """Skip the test, saying why, unless a file can be mounted here."""
    if os.geteuid() != 0:
        pytest.skip("the power cut needs root, to mount a file system in a file")
    for program in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(program) is None:
            pytest.skip(f"the power cut needs {program}")
    disk = LoopDisk(directory / "probe.img", directory / "probe")
    try:
        disk.make()
        with disk:
            pass
    except RuntimeError as error:
        pytest.skip(f"the power cut needs loop devices and ext4: {error}")
    finally:
        disk.image.unlink(missing_ok=True)
