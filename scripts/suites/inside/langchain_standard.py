"""LangChain's integration tests with its OpenAI client and our base URL."""

import os
from typing import Any

from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests

ACCESS = {"base_url": os.environ["OXLO_BASE_URL"], "api_key": os.environ["OXLO_API_KEY"]}
CHAT = os.environ["SUITES_CHAT"]
TOOLS = os.environ.get("SUITES_TOOLS") == "yes"
PICTURES = os.environ.get("SUITES_PICTURES") == "yes"


class TestChat(ChatModelIntegrationTests):
    """Chat tests, by the model's abilities."""

    chat_model_class = ChatOpenAI
    chat_model_params = ACCESS | {
        "model": CHAT,
        "max_tokens": 400,
        "temperature": 0,
        "stream_usage": True,  # off by default with a custom base URL
    }
    has_tool_calling = TOOLS
    has_tool_choice = TOOLS
    has_structured_output = True
    supports_json_mode = True
    supports_image_inputs = PICTURES
    supports_image_urls = PICTURES

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        """Use JSON schemas for models without tools."""
        return {} if TOOLS else {"method": "json_schema"}


class TestEmbeddings(EmbeddingsIntegrationTests):
    """Embeddings tests, without LangChain's tokenizer, which would be downloaded."""

    embeddings_class = OpenAIEmbeddings
    embedding_model_params = ACCESS | {
        "model": os.environ["SUITES_EMBEDDINGS"],
        "check_embedding_ctx_length": False,
    }
