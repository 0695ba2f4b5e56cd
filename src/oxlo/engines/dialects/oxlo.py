"""The dialect of our own engines (`engines/serving`): OpenAI's, and they measure what they take."""

from oxlo.engines.dialects.openai import OpenAI


class Oxlo(OpenAI):
    """OpenAI's words; the plan's caps travel along, and the engine keeps to them."""

    name = "oxlo"
    measures = True
