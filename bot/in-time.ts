/** Slack wants its acknowledgement within three seconds, and asking who may do this takes its part. */
const SOON_MS = 1_500;

/** What work comes to, or null when a slash command cannot wait for it any longer. */
export const inTime = async <T>(work: Promise<T>): Promise<T | null> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), SOON_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};
