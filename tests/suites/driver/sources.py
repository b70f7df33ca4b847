# SPDX-License-Identifier: PostgreSQL
"""Where drivers' sources come from: each function puts one version of a package
into a new folder, by the registry's own client."""

import json
import os
import shutil
import subprocess
import sys

import suites


def call(*command, **more):
    """Runs a tool; ends the run if it is missing or fails."""
    if not shutil.which(command[0]):
        sys.exit(f"drivers: no {command[0]} on this machine, needed for: "
                 f"{' '.join(command)}")
    r = subprocess.run(command, check=False, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       **more)
    if r.returncode:
        sys.exit(f"{r.stdout}\ndrivers: {' '.join(command)} failed with "
                 f"{r.returncode}")


def unpack(archive, folder):
    call("tar", "-xf", archive, "-C", folder, "--strip-components=1",
         "--no-same-owner")


def pypi(name, version, folder):
    call("pip", "download", "-q", "--no-deps", "--no-binary", name, "-d",
         folder, f"{name}=={version}")
    unpack(os.path.join(folder, f"{name}-{version}.tar.gz"), folder)


def npm(name, version, folder):
    call("npm", "pack", "--silent", f"{name}@{version}", cwd=folder)
    unpack(os.path.join(folder, f"{name}-{version}.tgz"), folder)


def go(module, version, folder):
    r = subprocess.run(["go", "mod", "download", "-json",
                        f"{module}@{version}"], text=True,
                       capture_output=True, check=False)
    if r.returncode:
        sys.exit(f"{r.stdout}{r.stderr}\ndrivers: no {module} {version}")
    call("cp", "-r", json.loads(r.stdout)["Dir"] + "/.", folder)
    call("chmod", "-R", "u+w", folder)


def maven(package, version, folder):
    """GROUP:ARTIFACT:CLASSIFIER of a tar.gz."""
    group, artifact, classifier = package.split(":")
    call("mvn", "-B", "-q", "dependency:copy", "-DoutputDirectory=" + folder,
         f"-Dartifact={group}:{artifact}:{version}:tar.gz:{classifier}")
    unpack(os.path.join(folder, f"{artifact}-{version}-{classifier}.tar.gz"),
           folder)


def debian(name, version, folder):
    work = os.path.dirname(folder)
    suites.fetch(work, name, version)
    os.rmdir(folder)
    os.rename(os.path.join(work, name), folder)
