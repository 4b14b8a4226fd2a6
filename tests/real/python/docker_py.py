"""What docker-py (docker compose v1, ansible, testcontainers) does with the helper.

Usage: docker_py.py resolve REGISTRY        prints USER SECRET, or: nothing
       docker_py.py all                     every registry it knows of, USER SECRET each, in order
       docker_py.py pull DOCKER_HOST REFERENCE
"""

import sys

import docker
import docker.auth

verb, args = sys.argv[1], sys.argv[2:]
if verb == "resolve":
    found = docker.auth.load_config().resolve_authconfig(args[0])
    if found is None:
        print("nothing")
    elif "IdentityToken" in found:
        print("identity token", found["IdentityToken"])
    else:
        print(found["Username"], found["Password"])
elif verb == "all":
    for registry, found in sorted(docker.auth.load_config().get_all_credentials().items()):
        print(registry, found["Username"], found["Password"])
elif verb == "pull":
    print(docker.DockerClient(base_url=args[0]).images.pull(args[1]).id)
