"""A tiny causal model in the layout of Hugging Face, and a stub of an endpoint."""

import contextlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WORDS = ["<end>", "<unk>", "chosen", "one", "after", "another", ":", ";", "thing", *(str(n) for n in range(20))]


def gpt(folder: Path, **settings) -> Path:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder.mkdir(parents=True)
    torch.manual_seed(0)
    sizes = {"n_positions": 64, "n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    config = GPT2Config(vocab_size=len(WORDS), **sizes, initializer_range=0.5, **settings)
    GPT2LMHeadModel(config).save_pretrained(folder)
    cut = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="<unk>"))
    cut.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=cut, unk_token="<unk>", eos_token="<end>").save_pretrained(folder)
    return folder


class Stub:
    """A server of chat completions whose answers a test decides.

    Attributes:
        reply: Makes the text of an answer from the number of candidates; or set `status`, `body`, `wait`.
        asked: What came: path, headers, document.
    """

    def __init__(self):
        self.asked = []
        self.reply = lambda many: json.dumps(list(range(many, 0, -1)))
        self.status, self.body, self.wait, self.usage = 200, None, 0.0, {"total_tokens": 100}
        self.drip = False
        self.lock = threading.Lock()

    @property
    def prompts(self):
        return [document["messages"][1]["content"] for _, _, document in self.asked]

    def answer(self, document):
        many = len(re.findall(r"(?m)^\d+\. ", document["messages"][1]["content"]))
        message = {"role": "assistant", "content": self.reply(many)}
        return json.dumps({"choices": [{"message": message}], "usage": self.usage}).encode()


@contextlib.contextmanager
def serving(stub):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with stub.lock:
                stub.asked.append((self.path, dict(self.headers), document))
                status = stub.status.pop(0) if isinstance(stub.status, list) else stub.status
            time.sleep(stub.wait)
            body = stub.answer(document) if stub.body is None else stub.body
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if stub.drip:
                    for byte in body:
                        self.wfile.write(bytes([byte]))
                        self.wfile.flush()
                        time.sleep(0.05)
                else:
                    self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
