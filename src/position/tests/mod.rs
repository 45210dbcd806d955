mod formats;
mod keeper;
