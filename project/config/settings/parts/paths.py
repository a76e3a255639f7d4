from pathlib import Path

from config.settings import env

BASE_DIR = env.BASE_DIR
PROJECT_DIR = BASE_DIR / "project"
# All local state: embedded services, caught mail, uploads, logs.
DATA_DIR = Path(env.text("DATA_DIR", str(BASE_DIR / ".data"))).absolute()
