use weir_filter::prelude::*;

struct DropNormal(Reason);

impl Stage for DropNormal {
    fn configure(_: &Config) -> Result<Self> {
        Ok(Self(Reason::declare("normal")?))
    }
    fn process(&mut self, event: &mut Event) -> Result<Verdict> {
        Ok(if event.is_normal() { Verdict::Drop(self.0) } else { Verdict::Keep })
    }
}

export!(DropNormal);
