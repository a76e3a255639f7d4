from config import env

BASE_DIR = env.BASE_DIR
PROJECT_DIR = BASE_DIR / "project"
# All local state: embedded services, the mailbox, uploads, logs.
DATA_DIR = env.folder("DATA_DIR", BASE_DIR / ".data")
