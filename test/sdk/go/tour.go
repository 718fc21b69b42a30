// The tour with the client that oapi-codegen makes.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"crest.local/tour/crest"
)

var (
	url   = os.Getenv("CREST_URL")
	token = os.Getenv("CREST_TOKEN")
	image = os.Getenv("IMAGE")
	user  = os.Getenv("REGISTRY_USER")
	pass  = os.Getenv("REGISTRY_PASSWORD")
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	authorize := func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	client, err := crest.NewClientWithResponses(url, crest.WithRequestEditorFn(authorize))
	if err != nil {
		log.Fatal(err)
	}

	pulled, err := client.PullImageWithResponse(ctx, nil, crest.PullImageRequest{
		Image: crest.ImageSpecInput{Image: image},
		Auth:  &crest.AuthConfig{Username: &user, Password: &pass},
	})
	mustBe(200, pulled, err)
	fmt.Println("pulled", pulled.JSON200.ImageRef)

	pod, err := client.RunPodWithResponse(ctx, nil, crest.RunPodBody{
		Metadata: crest.PodSandboxMetadataInput{Name: "tour"},
	})
	mustBe(201, pod, err)
	podID := pod.JSON201.PodSandboxId

	container, err := client.CreateContainerWithResponse(ctx, podID, nil, crest.CreateContainerBody{
		Metadata: crest.ContainerMetadataInput{Name: "one"},
		Image:    crest.ImageSpecInput{Image: image},
		Command:  &[]string{"sleep", "3600"},
		Envs:     &[]crest.KeyValue{{Key: "GREETING", Value: new("hello from one")}},
		Labels:   &map[string]string{"app": "tour"},
	})
	mustBe(201, container, err)
	id := container.JSON201.ContainerId
	started, err := client.StartContainerWithResponse(ctx, id)
	mustBe(204, started, err)

	ran, err := client.ExecSyncWithResponse(ctx, id, nil, crest.ExecSyncBody{
		Cmd:     []string{"sh", "-c", "echo $GREETING"},
		Timeout: new("10"),
	})
	mustBe(200, ran, err)
	fmt.Println("exec", ran.JSON200.ExitCode, strings.TrimSpace(ran.JSON200.Stdout))

	for _, name := range []string{"two", "three"} {
		created, err := client.CreateContainerWithResponse(ctx, podID, nil, crest.CreateContainerBody{
			Metadata: crest.ContainerMetadataInput{Name: name},
			Image:    crest.ImageSpecInput{Image: image},
		})
		mustBe(201, created, err)
	}

	labelled, err := client.ListContainersWithResponse(ctx, &crest.ListContainersParams{
		LabelSelector: new("app=tour"),
	})
	mustBe(200, labelled, err)
	fmt.Println("labelled", names(labelled.JSON200.Containers))

	params := crest.ListContainersParams{Limit: new(2)}
	for more := true; more; more = params.Continue != nil {
		page, err := client.ListContainersWithResponse(ctx, &params)
		mustBe(200, page, err)
		fmt.Println("page", names(page.JSON200.Containers))
		params.Continue = page.JSON200.Continue
	}

	again, err := client.StartContainerWithResponse(ctx, id)
	mustBe(409, again, err)
	fmt.Println("start again", again.ApplicationproblemJSON409.Code)
	tooMany, err := client.ListContainersWithResponse(ctx, &crest.ListContainersParams{Limit: new(5000)})
	mustBe(400, tooMany, err)
	problem := tooMany.ApplicationproblemJSON400
	fmt.Println("limit 5000", problem.Code, *(*problem.Errors)[0].Parameter)

	stopped, err := client.StopContainerWithResponse(ctx, id, &crest.StopContainerParams{Timeout: new("0")})
	mustBe(204, stopped, err)
	shown, err := client.GetContainerWithResponse(ctx, id, nil)
	mustBe(200, shown, err)
	fmt.Println("stopped", shown.JSON200.Status.State, shown.JSON200.Status.ExitCode)

	removed, err := client.RemoveContainerWithResponse(ctx, id)
	mustBe(204, removed, err)
	shown, err = client.GetContainerWithResponse(ctx, id, nil)
	mustBe(404, shown, err)
	fmt.Println("removed", shown.ApplicationproblemJSON404.Code)
	stoppedPod, err := client.StopPodWithResponse(ctx, podID, nil)
	mustBe(204, stoppedPod, err)
	removedPod, err := client.RemovePodWithResponse(ctx, podID)
	mustBe(204, removedPod, err)

	found, err := client.GetImageWithResponse(ctx, image, nil)
	mustBe(200, found, err)
	fmt.Println("image", strings.Join(found.JSON200.Image.RepoTags, " "))
	gone, err := client.RemoveImageWithResponse(ctx, image, nil)
	mustBe(200, gone, err)
	fmt.Println("image removed", strings.Join(gone.JSON200.RepoTags, " "))
	found, err = client.GetImageWithResponse(ctx, image, nil)
	mustBe(404, found, err)
	fmt.Println("image", found.ApplicationproblemJSON404.Code)
}

// Any of the client's answers.
type answer interface {
	StatusCode() int
	GetBody() []byte
}

// Ends the program with the answer's problem when its status is another.
func mustBe(status int, answer answer, err error) {
	if err != nil {
		log.Fatal(err)
	}
	if answer.StatusCode() == status {
		return
	}
	var problem crest.Problem
	if err := json.Unmarshal(answer.GetBody(), &problem); err != nil {
		log.Fatalf("status %d: %s", answer.StatusCode(), answer.GetBody())
	}
	log.Fatalf("%s: %s", problem.Code, problem.Detail)
}

func names(containers []crest.Container) string {
	names := make([]string, len(containers))
	for i, container := range containers {
		names[i] = container.Metadata.Name
	}
	return strings.Join(names, " ")
}
