import { z } from 'zod';
import { Found } from '../../playbooks/model/index.ts';
import { readGroup } from '../alerts/group-notes.ts';
import { lookAtFound } from '../alerts/look.ts';
import { leaveRoom } from '../alerts/room.ts';
import { defineErrand } from '../errand.ts';

/** A worker has searched for the process that a look of an alert is about. */
export const alertFound = defineErrand({
  errand: 'alert-found',
  data: z.object({ group: z.string(), look: z.string(), found: Found }),
  run: async ({ group: id, look: lookId, found }, _at, { attempt }, bot) => {
    const group = await readGroup(bot, id);
    const look = group?.looks.find((each) => each.id === lookId);
    if (group === null || look === undefined) return await leaveRoom(bot, lookId);
    if (look.state === 'asked') await lookAtFound(bot, group, look, found, attempt);
  },
});
