// What a module may ask for and do is in .weir/wit: `set-string` there is `setString` here.
import { namespace } from 'weir:pipeline/event@0.1.0';
import { setString } from 'weir:pipeline/edit@0.1.0';

export const stage = {
  // Once, at the start. `config` is JSON: what the stage in pipeline.toml has as `config`. What is
  // thrown here is what the operator reads.
  configure(config) {},
  // For each event.
  process() {
    setString('/metadata/labels/team', namespace());
  },
};
