import { z } from 'zod';
import { checkRoom } from '../alerts/room.ts';
import { defineErrand } from '../errand.ts';

/** Lets looks in that wait, should the end of another one have been missed. */
export const alertRoom = defineErrand({
  errand: 'alert-room',
  data: z.object({}),
  run: (_data, _at, _delivery, bot) => checkRoom(bot),
});
