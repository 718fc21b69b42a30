import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.openapitools.client.*;
import org.openapitools.client.api.*;
import org.openapitools.client.model.*;

/** The tour with the client that openapi-generator makes. */
public class Tour {
  private static final String URL = System.getenv("CREST_URL");
  private static final String TOKEN = System.getenv("CREST_TOKEN");
  private static final String IMAGE = System.getenv("IMAGE");
  private static final String USER = System.getenv("REGISTRY_USER");
  private static final String PASSWORD = System.getenv("REGISTRY_PASSWORD");

  public static void main(String[] args) throws Exception {
    var client = new ApiClient();
    client.updateBaseUri(URL);
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + TOKEN));
    var images = new ImagesApi(client);
    var pods = new PodsApi(client);
    var containers = new ContainersApi(client);

    var image = new ImageSpecInput().image(IMAGE);
    var auth = new AuthConfig().username(USER).password(PASSWORD);
    var pulled = images.pullImage(new PullImageRequest().image(image).auth(auth), null, null);
    System.out.println("pulled " + pulled.getImageRef());

    var pod = pods.runPod(new RunPodBody().metadata(new PodSandboxMetadataInput().name("tour")), null, null)
        .getPodSandboxId();
    var container = containers.createContainer(pod, new CreateContainerBody()
            .metadata(new ContainerMetadataInput().name("one"))
            .image(image)
            .command(List.of("sleep", "3600"))
            .envs(List.of(new KeyValue().key("GREETING").value("hello from one")))
            .labels(Map.of("app", "tour")), null, null)
        .getContainerId();
    containers.startContainer(container);

    var command = new ExecSyncBody().cmd(List.of("sh", "-c", "echo $GREETING")).timeout("10");
    var ran = containers.execSync(container, command, null, null);
    System.out.println("exec " + ran.getExitCode() + " " + ran.getStdout().trim());

    for (var name : List.of("two", "three")) {
      var metadata = new ContainerMetadataInput().name(name);
      containers.createContainer(pod, new CreateContainerBody().metadata(metadata).image(image), null, null);
    }
    var labelled = containers.listContainers(null, null, null, null, null, "app=tour", null, null);
    System.out.println("labelled " + names(labelled));

    String next = null;
    do {
      var page = containers.listContainers(null, null, null, null, null, null, 2, next);
      System.out.println("page " + names(page));
      next = page.getContinue();
    } while (next != null);

    System.out.println("start again " + problemOf(() -> containers.startContainer(container)).getCode());
    var tooMany = problemOf(() -> containers.listContainers(null, null, null, null, null, null, 5000, null));
    System.out.println("limit 5000 " + tooMany.getCode() + " " + tooMany.getErrors().get(0).getParameter());

    containers.stopContainer(container, "0");
    var status = containers.getContainer(container, null).getStatus();
    System.out.println("stopped " + status.getState() + " " + status.getExitCode());

    containers.removeContainer(container);
    System.out.println("removed " + problemOf(() -> containers.getContainer(container, null)).getCode());
    pods.stopPod(pod, null);
    pods.removePod(pod);

    var found = images.getImage(IMAGE, null, null);
    System.out.println("image " + String.join(" ", found.getImage().getRepoTags()));
    var gone = images.removeImage(IMAGE, null);
    System.out.println("image removed " + String.join(" ", gone.getRepoTags()));
    System.out.println("image " + problemOf(() -> images.getImage(IMAGE, null, null)).getCode());
  }

  private static String names(ListContainersReply list) {
    return list.getContainers().stream()
        .map(container -> container.getMetadata().getName())
        .collect(Collectors.joining(" "));
  }

  private interface Call {
    void run() throws ApiException;
  }

  /** The problem that a call must end with. */
  private static Problem problemOf(Call call) throws Exception {
    try {
      call.run();
    } catch (ApiException error) {
      return ApiClient.createDefaultObjectMapper().readValue(error.getResponseBody(), Problem.class);
    }
    throw new IllegalStateException("it was done, and should have been refused");
  }
}
