"""Writes a Pipfile or Pipfile.lock's default packages as a requirements file that uv reads.

Usage: pipfile_requirements.py PIPFILE OUTPUT
"""

import json
import pathlib
import sys
import tomllib


def requirement(name, spec):
    """One requirement line for a package of a Pipfile or Pipfile.lock."""
    if isinstance(spec, str):
        return name + ("" if spec == "*" else spec)
    extras = f"[{','.join(spec['extras'])}]" if spec.get("extras") else ""
    if "git" in spec:
        ref = f"@{spec['ref']}" if spec.get("ref") else ""
        folder = f"#subdirectory={spec['subdirectory']}" if spec.get("subdirectory") else ""
        line = f"{name}{extras} @ git+{spec['git']}{ref}{folder}"
    elif "path" in spec or "file" in spec:
        line = str(spec.get("path", spec.get("file")))
    else:
        version = spec.get("version", "*")
        line = name + extras + ("" if version == "*" else version)
    if spec.get("markers"):
        line += f" ; {spec['markers']}"
    return line + "".join(f" --hash={digest}" for digest in spec.get("hashes", []))


def main():
    source, output = map(pathlib.Path, sys.argv[1:3])
    if source.suffix == ".lock":
        lock = json.loads(source.read_text())
        packages, indexes = lock.get("default", {}), lock.get("_meta", {}).get("sources", [])
    else:
        pipfile = tomllib.loads(source.read_text())
        packages, indexes = pipfile.get("packages", {}), pipfile.get("source", [])
    lines = [
        f"{'--extra-index-url' if position else '--index-url'} {index['url']}"
        for position, index in enumerate(indexes)
    ]
    lines += [requirement(name, spec) for name, spec in sorted(packages.items())]
    output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
