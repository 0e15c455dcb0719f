import { proxyActivities } from '@temporalio/workflow';

/** Somebody's workflow on our Temporal: it schedules one activity of ours, by name, with whatever it likes. */
export async function rogue({ queue, name, input }) {
  const activities = proxyActivities({
    taskQueue: queue,
    startToCloseTimeout: '60s',
    heartbeatTimeout: '10s',
    retry: { maximumAttempts: 1 },
  });
  try {
    return { answer: await activities[name](input) };
  } catch (error) {
    return { code: error.cause?.type ?? error.name };
  }
}
