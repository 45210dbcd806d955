//! tmp
use super::*;
pub(super) async fn run<I: Inbox>(_: &OpenSearchSettings, _: I, _: &Context) -> Result<(), SinkError> {
    todo!()
}
