// A scheduler looks for a worker that is free, and none ever is: what would free one is a callback that does not get its turn.
const workers = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, busy: true }));

function freeWorker() {
  let at = 0;
  while (workers[at].busy) at = (at + 1) % workers.length;
  return workers[at];
}

for (const worker of workers)
  setTimeout(() => {
    worker.busy = false;
  }, 50);
process.stdout.write(`standing ${process.pid}\n`);
freeWorker();
