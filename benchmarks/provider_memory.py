"""What one provider's SDK costs a process that can already think: `python provider_memory.py KIND` prints JSON.

`before_mb` and `after_mb` are the process's PSS, `seconds` is how long the first model of the provider takes to make.
"""

import asyncio
import gc
import json
import os
import sys
import time
from importlib import import_module

from pydantic import SecretStr

from lar.app.thinking import PROVIDERS
from lar.providers.contract import Parameters
from lar.providers.settings import ProviderSettings
from process_tree import memory_mb


def _memory() -> float:
    gc.collect()
    return round(memory_mb([os.getpid()]), 1)


async def _measured(kind: str) -> dict[str, float]:
    import_module("lar.runtimes.loop.thinking")
    settings = ProviderSettings.model_validate({"kind": kind, "api_key": SecretStr("sk-a-key-of-nobody")})
    factory = PROVIDERS[settings.kind](kind, settings)
    before, begun = _memory(), time.perf_counter()
    factory("nobody/some-model", Parameters())
    seconds = time.perf_counter() - begun
    after = _memory()
    await factory.close()
    return {"before_mb": before, "after_mb": after, "seconds": round(seconds, 2)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_measured(sys.argv[1]))))
