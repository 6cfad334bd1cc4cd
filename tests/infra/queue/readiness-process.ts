// Says what /readyz would say of Redis at each place: settings as JSON in the arguments, one folder for all of their files.
import { silentLog } from '../../../infra/log.ts';
import { ignoreLateAlerts } from '../../../infra/queue/late-alerts.ts';
import { observeQueue } from '../../../infra/queue/observer.ts';
import { openWorkerQueue } from '../../../infra/queue/worker-side.ts';
import { RedisSettings, redisFrom } from '../../../infra/redis-settings.ts';

const [folder = '', ...all] = process.argv.slice(2);
ignoreLateAlerts(silentLog);
/** Until it has been refused this often: whoever is refused once may be ended by the second time. */
const TIMES = 6;

const words = await Promise.all(
  all.map(async (text) => {
    const place = redisFrom(RedisSettings.parse(JSON.parse(text)), {}, folder, []);
    if (place === undefined) throw new Error(`no place: ${text}`);
    const observer = observeQueue(place, silentLog);
    const worker = openWorkerQueue({ redisUrl: place, concurrency: 1, log: silentLog });
    worker.work(() => Promise.reject(new Error('not asked')));
    for (let refused = 0; ; refused += 1) {
      const { why } = await observer.state();
      if (refused >= TIMES && why.includes(' (')) return why;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }),
);
process.stdout.write(`${JSON.stringify(words)}\n`, () => process.exit(0));
