/** Starting, measuring, changing, stopping and removing what is in another state, or not there. */
import {
  act,
  app,
  checkpoint,
  commandNotFound,
  containerd,
  containerIn,
  create,
  done,
  inTurn,
  notFound,
  notImplemented,
  notRunning,
  podIn,
  podNotReady,
  podStats,
  remove,
  removePod,
  reopen,
  start,
  stats,
  stop,
  stopPod,
  testEverywhere,
  update,
  updatePod,
} from "./situations.ts";

testEverywhere("lifecycle", [
  // Starting.
  { situation: "start what runs", run: containerIn("running", start), status: 409, code: "already_running" },
  {
    situation: "start what has exited",
    run: containerIn("exited", start),
    status: 409,
    code: "already_exited",
  },
  { situation: "start what is not there", run: start, ...notFound },
  {
    situation: "start in a stopped pod",
    run: podIn("not ready", (gateway, pod) =>
      start(gateway, gateway.fake.addContainer({ pod, state: "created" })),
    ),
    ...podNotReady,
    only: [...containerd, "cri-dockerd"],
  },
  {
    situation: "run a command that does not exist as a container's first",
    run: podIn("ready", async (gateway, pod) => {
      const created = await create({ ...app, command: ["/bin/nope"] })(gateway, pod);
      return created.status === 201 ? start(gateway, { id: String(created.at("containerId")) }) : created;
    }),
    ...commandNotFound,
  },

  // Reading.
  { situation: "the status of what is not there", run: act("GET /v1/containers/ID"), ...notFound },
  { situation: "the status of a pod that is not there", run: act("GET /v1/pods/ID"), ...notFound },
  { situation: "waiting for what is not there", run: act("GET /v1/containers/ID/wait"), ...notFound },
  { situation: "the stats of what runs", run: containerIn("running", stats), status: 200 },
  { situation: "the stats of what was not started", run: containerIn("created", stats), ...notRunning },
  { situation: "the stats of what has exited", run: containerIn("exited", stats), ...notRunning },
  { situation: "the stats of what is not there", run: stats, ...notFound },
  {
    situation: "a pod's stats",
    run: podIn("ready", podStats),
    status: 200,
    except: { "cri-dockerd": notImplemented },
  },
  { situation: "a stopped pod's stats", run: podIn("not ready", podStats), ...podNotReady },
  { situation: "the stats of a pod that is not there", run: podStats, ...notFound },
  {
    situation: "a prefix that two ids begin with",
    run: async (gateway) => {
      for (const digit of ["1", "2"]) gateway.fake.addContainer({ id: `ab${digit.repeat(62)}` });
      return gateway.ask("GET /v1/containers/ab");
    },
    status: 409,
    code: "ambiguous_id",
  },

  // Changing.
  {
    situation: "reopen the log of what runs",
    run: containerIn("running", reopen),
    ...done,
    except: { "cri-dockerd": notImplemented },
  },
  { situation: "reopen the log of what was not started", run: containerIn("created", reopen), ...notRunning },
  { situation: "reopen the log of what has exited", run: containerIn("exited", reopen), ...notRunning },
  { situation: "reopen the log of what is not there", run: reopen, ...notFound },
  { situation: "change the resources of what runs", run: containerIn("running", update), ...done },
  { situation: "change the resources of what was not started", run: containerIn("created", update), ...done },
  { situation: "change the resources of what has exited", run: containerIn("exited", update), ...notRunning },
  { situation: "change the resources of what is not there", run: update, ...notFound },
  {
    situation: "change a pod's resources",
    run: podIn("ready", updatePod),
    ...notImplemented,
    except: { "cri-o": done },
  },
  { situation: "change a stopped pod's resources", run: podIn("not ready", updatePod), ...podNotReady },
  { situation: "change the resources of a pod that is not there", run: updatePod, ...notFound },
  { situation: "checkpoint what runs", run: containerIn("running", checkpoint), ...notImplemented },
  { situation: "checkpoint what has exited", run: containerIn("exited", checkpoint), ...notRunning },
  { situation: "checkpoint what is not there", run: checkpoint, ...notFound },

  // Stopping and removing.
  { situation: "stop what is not there", run: stop, ...notFound },
  { situation: "remove what is not there", run: remove, ...notFound },
  { situation: "stop a pod that is not there", run: stopPod, ...notFound },
  { situation: "remove a pod that is not there", run: removePod, ...notFound },
  {
    situation: "stop twice",
    run: containerIn("running", (gateway, container) =>
      inTurn(
        () => stop(gateway, container),
        () => stop(gateway, container),
      )(gateway),
    ),
    ...done,
  },
  { situation: "stop what was not started", run: containerIn("created", stop), ...done },
  {
    situation: "remove twice",
    run: containerIn("exited", (gateway, container) =>
      inTurn(
        () => remove(gateway, container),
        () => remove(gateway, container),
      )(gateway),
    ),
    ...notFound,
  },
  {
    situation: "stop what was removed",
    run: containerIn("running", (gateway, container) =>
      inTurn(
        () => remove(gateway, container),
        () => stop(gateway, container),
      )(gateway),
    ),
    ...notFound,
  },
  {
    situation: "stop a pod twice",
    run: podIn("ready", (gateway, pod) =>
      inTurn(
        () => stopPod(gateway, pod),
        () => stopPod(gateway, pod),
      )(gateway),
    ),
    ...done,
  },
  {
    situation: "remove a pod twice",
    run: podIn("ready", (gateway, pod) =>
      inTurn(
        () => removePod(gateway, pod),
        () => removePod(gateway, pod),
      )(gateway),
    ),
    ...notFound,
  },
  {
    situation: "stop a pod that was removed",
    run: podIn("ready", (gateway, pod) =>
      inTurn(
        () => removePod(gateway, pod),
        () => stopPod(gateway, pod),
      )(gateway),
    ),
    ...notFound,
  },
  { situation: "remove what runs", run: containerIn("running", remove), ...done },
  {
    situation: "remove a pod in which something runs",
    run: podIn("ready", (gateway, pod) => {
      gateway.fake.addContainer({ pod });
      return removePod(gateway, pod);
    }),
    ...done,
  },
]);
