"""The tour with the client that openapi-python-client makes."""

import os
from typing import Any, TypeVar, cast

from crest_client import AuthenticatedClient
from crest_client.api.containers import (
    create_container,
    exec_sync,
    get_container,
    list_containers,
    remove_container,
    start_container,
    stop_container,
)
from crest_client.api.images import get_image, pull_image, remove_image
from crest_client.api.pods import remove_pod, run_pod, stop_pod
from crest_client.models import (
    AuthConfig,
    Container,
    ContainerMetadataInput,
    CreateContainerBody,
    CreateContainerBodyLabels,
    ExecSyncBody,
    ImageSpecInput,
    KeyValue,
    PodSandboxMetadataInput,
    Problem,
    PullImageRequest,
    RunPodBody,
)

CREST_URL = os.environ["CREST_URL"]
CREST_TOKEN = os.environ["CREST_TOKEN"]
IMAGE = os.environ["IMAGE"]
REGISTRY_USER = os.environ["REGISTRY_USER"]
REGISTRY_PASSWORD = os.environ["REGISTRY_PASSWORD"]

crest = AuthenticatedClient(base_url=CREST_URL, token=CREST_TOKEN)

T = TypeVar("T")


def answer_of(answer: T | Problem | None) -> T:
    """What a call answers; its problem is raised."""
    if isinstance(answer, Problem):
        raise RuntimeError(f"{answer.code}: {answer.detail}")
    return cast(T, answer)


auth = AuthConfig(username=REGISTRY_USER, password=REGISTRY_PASSWORD)
pull = PullImageRequest(image=ImageSpecInput(image=IMAGE), auth=auth)
image = answer_of(pull_image.sync(client=crest, body=pull))
print("pulled", image.image_ref)

pod = answer_of(
    run_pod.sync(client=crest, body=RunPodBody(metadata=PodSandboxMetadataInput(name="tour")))
)
config = CreateContainerBody(
    metadata=ContainerMetadataInput(name="one"),
    image=ImageSpecInput(image=IMAGE),
    command=["sleep", "3600"],
    envs=[KeyValue(key="GREETING", value="hello from one")],
    labels=CreateContainerBodyLabels.from_dict({"app": "tour"}),
)
container = answer_of(create_container.sync(pod.pod_sandbox_id, client=crest, body=config))
answer_of(start_container.sync(container.container_id, client=crest))

command = ExecSyncBody(cmd=["sh", "-c", "echo $GREETING"], timeout="10")
ran = answer_of(exec_sync.sync(container.container_id, client=crest, body=command))
print("exec", ran.exit_code, ran.stdout.strip())


def problem_of(answer: Any) -> Problem:
    """The problem that a call must end with."""
    assert isinstance(answer, Problem), "it was done, and should have been refused"
    return answer


for name in ["two", "three"]:
    config = CreateContainerBody(
        metadata=ContainerMetadataInput(name=name), image=ImageSpecInput(image=IMAGE)
    )
    answer_of(create_container.sync(pod.pod_sandbox_id, client=crest, body=config))


def names(containers: list[Container]) -> str:
    return " ".join(container.metadata.name for container in containers if container.metadata)


labelled = answer_of(list_containers.sync(client=crest, label_selector="app=tour"))
print("labelled", names(labelled.containers))

page = answer_of(list_containers.sync(client=crest, limit=2))
print("page", names(page.containers))
while page.continue_:
    page = answer_of(list_containers.sync(client=crest, limit=2, continue_=page.continue_))
    print("page", names(page.containers))

again = problem_of(start_container.sync(container.container_id, client=crest))
print("start again", again.code)
too_many = problem_of(list_containers.sync(client=crest, limit=5000))
print("limit 5000", too_many.code, *(error.parameter for error in too_many.errors or []))

answer_of(stop_container.sync(container.container_id, client=crest, timeout="0"))
status = answer_of(get_container.sync(container.container_id, client=crest)).status
print("stopped", status.state, status.exit_code)

answer_of(remove_container.sync(container.container_id, client=crest))
print("removed", problem_of(get_container.sync(container.container_id, client=crest)).code)
answer_of(stop_pod.sync(pod.pod_sandbox_id, client=crest))
answer_of(remove_pod.sync(pod.pod_sandbox_id, client=crest))

found = answer_of(get_image.sync(IMAGE, client=crest))
print("image", *found.image.repo_tags)
gone = answer_of(remove_image.sync(IMAGE, client=crest))
print("image removed", *gone.repo_tags)
print("image", problem_of(get_image.sync(IMAGE, client=crest)).code)
