/** Commands that cannot run, or whose end the runtime does not tell. */
import {
  commandNotFound,
  containerIn,
  echo,
  exec,
  invalid,
  notFound,
  notRunning,
  testEverywhere,
} from "./situations.ts";

testEverywhere("commands", [
  { situation: "exec in what was not started", run: containerIn("created", echo), ...notRunning },
  { situation: "exec in what has exited", run: containerIn("exited", echo), ...notRunning },
  { situation: "exec in what is not there", run: echo, ...notFound },
  { situation: "exec without a command", run: containerIn("running", exec({ cmd: [] })), ...invalid },
  {
    situation: "exec of a command that does not exist",
    run: containerIn("running", exec({ cmd: ["/bin/nope"] })),
    ...commandNotFound,
  },
  {
    situation: "exec that takes longer than its timeout",
    run: containerIn("running", exec({ cmd: ["sleep", "30"], timeout: "1" })),
    status: 504,
    code: "exec_timeout",
  },
  {
    situation: "exec with more output than the runtime gives back",
    run: containerIn("running", exec({ cmd: ["head", "-c", "20971520", "/dev/zero"] })),
    status: 422,
    code: "output_too_large",
  },
  {
    situation: "exec that fails by itself",
    run: containerIn("running", exec({ cmd: ["sh", "-c", "exit 127"] })),
    status: 200,
  },
  {
    situation: "exec that says what a runtime would say",
    run: containerIn("running", exec({ cmd: ["sh", "-c", "echo no such container; exit 1"] })),
    status: 200,
  },
]);
