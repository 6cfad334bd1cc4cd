import { AuditUnavailable, openAudit } from '../../infra/audit.ts';

/** Writes numbered lines into an audit log, and says so; or how many there were when one was refused. */
const [folder = '', name = '', count = '0'] = process.argv.slice(2);
const audit = openAudit({ folder, side: 'worker' });
// A file that has reached its limit (setrlimit(2), RLIMIT_FSIZE) brings a signal before the error.
process.on('SIGXFSZ', () => undefined);
for (let line = 0; line < Number(count); line += 1) {
  try {
    await audit.write({ event: 'step-began', outcome: `${name} ${line} ${'x'.repeat(line % 50)}` });
  } catch (error) {
    if (!(error instanceof AuditUnavailable)) throw error;
    process.stdout.write(`refused ${line}\n`);
    process.exit(0);
  }
}
process.stdout.write('written\n');
