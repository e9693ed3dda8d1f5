"""``python -m durable_redis``: the same as the console command ``durable-redis-server``."""

from durable_redis.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
