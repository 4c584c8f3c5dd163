"""Hold one conversation over an open WebSocket, whatever engine carries it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from runbook_lib.agent.conversation import Conversation, Stop
from runbook_lib.ports import LISTEN_S, Answer


class Chat(ABC):
    """An open session; implements `ports.ChatSession` upon what an engine adds."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    @property
    def session_id(self) -> str:
        """The session's id, as the greeting or the first event gave it."""
        return self._conversation.session_id

    @property
    def user_id(self) -> str:
        """The user's id, in the same way."""
        return self._conversation.user_id

    @property
    def revision(self) -> str:
        """The revision that the greeting named."""
        return self._conversation.revision

    async def chat(self, content: str, agent: str, listen_s: float = LISTEN_S) -> Answer:
        """Send one message and collect its answer; what goes wrong is told in it, not raised."""
        return self._conversation.answer(*await self._exchange(content, agent, listen_s))

    async def drop(self, content: str, agent: str) -> Answer:
        """Send one message, and when its answer has begun vanish without a word, as a lost network does."""
        stop, detail = await self._exchange(content, agent, listen_s=0, until_begun=True)
        self._vanish()
        return self._conversation.answer(stop or "closed", detail or "dropped on purpose")

    @abstractmethod
    async def close(self) -> None:
        """Close it; never raises."""

    @abstractmethod
    async def _exchange(
        self, content: str, agent: str, listen_s: float, *, until_begun: bool = False
    ) -> tuple[Stop | None, str]:
        """Send a message and feed what comes; return why no more will, and nothing if there was enough.

        Before that, listen for `engine.LISTEN_BEFORE_S` to what comes though nothing was asked. Once there is
        enough, the whole answer or its first event, go on for `listen_s`: a final event that is sent twice
        shows only to a listener.
        """

    @abstractmethod
    def _vanish(self) -> None:
        """End the connection without a word."""
