// Opens the embedded history in a folder, writes a look's row and holds it until it is killed: holder-process.ts FOLDER.
import { openDatabase } from '../../../infra/history/database.ts';
import { writeNote } from '../../../infra/history/write.ts';
import { silentLog } from '../../../infra/log.ts';

const database = openDatabase({ place: { folder: process.argv[2] ?? '' }, log: silentLog });
const note = { kind: 'resolution', channel: 'C1', threadTs: '1.1', at: 1, user: 'U1', note: 'kept' } as const;
await database.use((own) => writeNote(own, 'r1', note));
process.stdout.write('written\n');
setInterval(() => {}, 60_000);
