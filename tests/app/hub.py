"""A stand-in for the Hugging Face Hub: what would be uploaded lies in a folder."""

from huggingface_hub import HfApi, RepoUrl
from studies import open_store

from app.study.hub_vote_backup import HubVoteBackup


def serve(study, hub):
    """Start as the page does; return the store and the backup."""
    store = open_store(study)
    backup = HubVoteBackup(study.folder / "ledger", "team/votes", study.name, hub=hub)
    store.restore(backup.votes)
    store.subscribe(backup.write)
    return store, backup


class Hub(HfApi):
    """Takes what would be uploaded, in a folder."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.made = folder, []

    def create_repo(self, repo_id, **options):
        self.made.append((repo_id, options))
        return RepoUrl(f"https://huggingface.co/datasets/{repo_id}")

    def create_commit(self, repo_id, operations, **options):
        for operation in operations:
            to = self.folder / operation.path_in_repo
            to.parent.mkdir(parents=True, exist_ok=True)
            with operation.as_file() as file:
                to.write_bytes(file.read())

    def snapshot_download(self, repo_id, **options):
        self.folder.mkdir(exist_ok=True)
        return str(self.folder)
