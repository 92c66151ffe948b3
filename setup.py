# Copyright (c) The twisted_ovsdb authors.
# See LICENSE for details.

import re
from pathlib import Path

from setuptools import setup

here = Path(__file__).parent
version = re.search(
    r'__version__ = "(.+)"', (here / "twisted_ovsdb" / "_version.py").read_text("utf-8")
)
assert version is not None

setup(
    name="twisted_ovsdb",
    version=version.group(1),
    description="Open vSwitch interface events for Twisted, exact across every outage",
    long_description=(here / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    packages=["twisted_ovsdb", "twisted.plugins"],
    package_data={"twisted_ovsdb": ["py.typed"]},
    install_requires=(here / "requirements.txt").read_text("utf-8").split(),
    extras_require={"tls": ["twisted[tls]>=24.7"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Twisted",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Networking :: Monitoring",
        "Typing :: Typed",
    ],
)
