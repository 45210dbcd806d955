mod machine;
mod model;
mod scenarios;
mod server;
