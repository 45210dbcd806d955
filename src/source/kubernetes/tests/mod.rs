mod machine;
mod model;
mod odd_answers;
mod scenarios;
mod server;
