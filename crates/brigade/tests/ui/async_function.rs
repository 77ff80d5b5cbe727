//! A task has a thread for itself.

#[brigade::task]
async fn fetch(url: String) -> String {
    url
}

fn main() {}
