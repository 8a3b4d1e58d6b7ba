"""llama.cpp's own server for each GGUF file of the command line, the address of each a line; they end with stdin."""

import sys

import xllamacpp


def serve(file: str) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = file
    params.port = 0  # any that is free
    params.n_ctx = 4096
    params.n_parallel = 4
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.warmup = False
    return xllamacpp.Server(params)


servers = [serve(file) for file in sys.argv[1:]]
for server in servers:
    print(server.listening_address, flush=True)
sys.stdin.read()
