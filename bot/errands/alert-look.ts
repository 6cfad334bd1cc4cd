import { z } from 'zod';
import { readGroup } from '../alerts/group-notes.ts';
import { askLook, endLook } from '../alerts/look.ts';
import { leaveRoom } from '../alerts/room.ts';
import { defineErrand } from '../errand.ts';

/** There is room for a look that an alert asked for, or there never will be. */
export const alertLook = defineErrand({
  errand: 'alert-look',
  data: z.object({ group: z.string(), look: z.string(), turnedAway: z.boolean().default(false) }),
  run: async ({ group: id, look: lookId, turnedAway }, _at, { attempt }, bot) => {
    const group = await readGroup(bot, id);
    const look = group?.looks.find((each) => each.id === lookId);
    if (group === null || look === undefined) return await leaveRoom(bot, lookId);
    if (look.state !== 'asked') {
      // `running` keeps its room until its answer is there.
      if (look.state !== 'running') await leaveRoom(bot, lookId);
      return;
    }
    if (turnedAway) {
      const said = `Nothing was looked at: ${bot.alerts.limits.waiting} worse or earlier alerts wait to be looked at.`;
      return await endLook(bot, group, look, 'left', said);
    }
    if (!group.firing) {
      return await endLook(
        bot,
        group,
        look,
        'left',
        'Nothing was looked at: it was over before there was room for a look.',
      );
    }
    const { selector, host } = look;
    if (selector.kind === 'pid') return await askLook(bot, group, look, selector.pid, attempt);
    const handTo = { errand: 'alert-found', data: { group: id, look: lookId } };
    await bot.queue.find({ id: lookId, host, selector, handTo });
  },
});
