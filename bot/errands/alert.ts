import { takeNotice } from '../alerts/arrive.ts';
import { Notice } from '../alerts/notice.ts';
import { defineErrand } from '../errand.ts';

/** News of an alert group, as a source told it: kept with the group; its thread and its look follow from there. */
export const alert = defineErrand({
  errand: 'alert',
  data: Notice,
  run: (notice, _at, _delivery, bot) => takeNotice(notice, bot),
});
