// BullMQ over the server: jobs, delays, priorities, retries, a flow.  Prints what came of them as JSON.

import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";

const address = new URL(process.env.APPLICATION_REDIS);
const connection = { host: address.hostname, port: Number(address.port) };
const queue = new Queue("numbers", { connection });
const events = new QueueEvents("numbers", { connection });
await events.waitUntilReady();

const order = [];
const worker = new Worker("numbers", async (job) => {
  order.push(job.name);
  if (job.name === "flaky" && job.attemptsMade < 2) throw new Error("not yet");
  if (job.name === "hopeless") throw new Error("on purpose");
  if (job.name === "sum") {
    const values = await job.getChildrenValues();
    return Object.values(values).reduce((sum, value) => sum + value, 0);
  }
  await job.updateProgress(50);
  return job.data.number ** 2;
}, { connection, concurrency: 5, autorun: false });

const jobs = await queue.addBulk(
  Array.from({ length: 50 }, (_, number) => ({ name: "square", data: { number }, opts: { priority: 1 + number % 3 } }))
);
const delayed = await queue.add("later", { number: 9 }, { delay: 300 });
const flaky = await queue.add("flaky", { number: 4 }, { attempts: 3, backoff: { type: "fixed", delay: 20 } });
const hopeless = await queue.add("hopeless", {});
const twice = await Promise.all([0, 1].map(() => queue.add("once", { number: 2 }, { jobId: "the-same" })));
const flows = new FlowProducer({ connection });
const flow = await flows.add({
  name: "sum", queueName: "numbers",
  children: [1, 2, 3].map((number) => ({ name: "square", data: { number }, queueName: "numbers" })),
});
const waiting = await queue.getJobCounts("waiting", "delayed", "prioritized", "waiting-children");
worker.run();

const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 30000)));
const outcome = {
  waiting,
  results,
  delayed: await delayed.waitUntilFinished(events, 30000),
  flaky: await flaky.waitUntilFinished(events, 30000),
  hopeless: await hopeless.waitUntilFinished(events, 30000).catch((error) => error.message),
  once: await twice[1].waitUntilFinished(events, 30000),
  flow: await flow.job.waitUntilFinished(events, 30000),
  counts: await queue.getJobCounts("completed", "failed", "waiting", "active", "delayed"),
};
await worker.close();
await queue.obliterate({ force: true });
outcome.left = await queue.getJobCounts("completed", "failed");
await Promise.all([events.close(), flows.close(), queue.close()]);
console.log(JSON.stringify(outcome));
process.exit(0);
