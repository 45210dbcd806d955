// Tags what crashes again and again, and says how often it did.
import { reason, count } from 'weir:pipeline/event@0.1.0';
import { appendString, setInteger } from 'weir:pipeline/edit@0.1.0';

let atLeast;

export const stage = {
  configure(config) {
    atLeast = JSON.parse(config).at_least ?? 5;
    if (!Number.isInteger(atLeast)) throw '`at_least`: expected a whole number';
  },
  process() {
    if (reason() !== 'BackOff') return;
    const times = count();
    if (times < atLeast) return;
    appendString('/tags', 'crash-loop');
    setInteger('/crashes', times);
  },
};
