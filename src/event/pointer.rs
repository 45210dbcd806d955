//! JSON pointers (RFC 6901) and the pointers that no module may edit.
