// A key is derived with very many rounds: one native call for minutes, without a system call.
import { pbkdf2Sync } from 'node:crypto';

process.stdout.write(`standing ${process.pid}\n`);
pbkdf2Sync('correct horse', 'salt', 2_000_000_000, 32, 'sha256');
