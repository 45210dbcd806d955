// What a module may ask for and do is in .weir/wit: `set-integer` there is `setInteger` here.
import { type } from 'weir:pipeline/event@0.1.0';
import { declare, discard } from 'weir:pipeline/discard@0.1.0';

let normal;

export const stage = {
  // Once, at the start. `config` is JSON: what the stage in pipeline.toml has as `config`. What is
  // thrown here is what the operator reads.
  configure(config) {
    normal = declare('normal');
  },
  // For each event.
  process() {
    if (type() === 'normal') discard(normal);
  },
};
