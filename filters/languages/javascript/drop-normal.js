// Drops events of type Normal, but for the reasons that its configuration keeps.
import { type, reason } from 'weir:pipeline/event@0.1.0';
import { declare, discard } from 'weir:pipeline/discard@0.1.0';

let keep = new Set();
let normal;

export const stage = {
  configure(config) {
    const { keep_reasons = [], ...others } = JSON.parse(config);
    const unknown = Object.keys(others)[0];
    // What is thrown here is what the operator reads.
    if (unknown) throw `unknown field \`${unknown}\`, expected \`keep_reasons\``;
    if (!Array.isArray(keep_reasons)) throw '`keep_reasons`: expected a list of reasons';
    keep = new Set(keep_reasons);
    normal = declare('normal');
  },
  process() {
    if (type() === 'normal' && !(keep.size && keep.has(reason()))) discard(normal);
  },
};
