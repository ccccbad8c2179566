"""SequenceModel: front, recurrent stack and head, for an answer a sequence or an answer a step."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from ostinato.data.examples import Batch
from ostinato.data.spec import Spec
from ostinato.errors import UsageError
from ostinato.models.check import check
from ostinato.models.front import Front
from ostinato.models.head import ChainHead, SequenceHead, StepHead, TiedHead
from ostinato.models.segments import segments
from ostinato.models.settings import ModelSettings
from ostinato.models.stack import Stack, State
from ostinato.sequences import Ragged


class SequenceModel(nn.Module):
    """``y = head(stack(front(batch)))``, and with ``settings.skip`` the values of the batch are added.

    For an answer a sequence, the steps are pooled (``settings.pool``) and a linear layer answers; for an answer a step,
    the linear layer answers at every step, or gives potentials where the answers are a chain. No answer depends on the
    other sequences of the batch or on its order.

    Args:
        spec: sizes of the examples.
        settings: of the model.

    Raises:
        UsageError: the settings do not fit each other or the task.
    """

    def __init__(self, spec: Spec, settings: ModelSettings) -> None:
        super().__init__()
        check(spec, settings)
        self.spec, self.settings = spec, settings
        self.front = Front(spec, settings)
        self.stack = Stack(self.front.size * settings.segment, settings)
        self.head: SequenceHead | StepHead | TiedHead | ChainHead
        size, answers, dropout = self.stack.size, spec.output_size, settings.dropout
        if spec.outputs == "sequence":
            self.head = SequenceHead(
                size, answers, pool=settings.pool, directions=self.stack.directions, dropout=dropout
            )
        elif settings.tied:
            self.head = TiedHead(size, self.front.embedding_width, answers, dropout=dropout)
        else:
            kind = ChainHead if spec.chain else StepHead
            self.head = kind(size, answers, dropout=dropout)
        self.skip: nn.Module | None = None
        if settings.skip:
            same = spec.input_size == answers
            self.skip = nn.Identity() if same else nn.Linear(spec.input_size, answers, bias=False)

    def embed(self, batch: Batch) -> Ragged:
        """The float inputs ``(N, I)`` of the stack."""
        inputs: Ragged = self.front(batch)
        return inputs

    def forward(self, batch: Batch, state: State | None = None, embedded: Ragged | None = None) -> tuple[Tensor, State]:
        """Answers and the state after the last step.

        Args:
            batch: ``B`` examples.
            state: what was carried over from the steps before, ``(L * D, B, H)`` each; None: the initial state.
            embedded: inputs of the stack ``(N, I)``, to go on from :meth:`embed`; None: computed here.

        Returns:
            ``(B, K)`` for a sequence answer, ``(N, K)`` for a step answer or ``(N, K, K)`` for a chain; and the state.

        Raises:
            UsageError: a state is given to a model whose answer cannot be continued.
        """
        if state is not None:
            self._check_continues()
        inputs = self.embed(batch) if embedded is None else embedded
        if self.settings.segment > 1:
            inputs = segments(inputs, self.settings.segment)
        steps, final = self.stack(inputs, state)
        answers = self._answer(steps, final)
        return answers if self.skip is None else answers + self.skip(batch.inputs.values), final

    def _answer(self, steps: Ragged, final: State) -> Tensor:
        if isinstance(self.head, SequenceHead):
            answers = self.head(steps, final)
        elif isinstance(self.head, TiedHead):
            answers = self.head(steps, self.front.matrix)
        else:
            answers = self.head(steps)
        return cast(Tensor, answers)

    def _check_continues(self) -> None:
        if self.spec.chain:
            raise UsageError("a CRF weighs the labels of a whole sequence: set task.crf=false or training.window=0")
        if self.settings.bidirectional:
            raise UsageError(
                "a bidirectional model reads from both ends, so its state cannot be carried from window to window: "
                "set model.bidirectional=false or training.window=0"
            )
        if self.settings.segment > 1:
            raise UsageError("a window need not end where a segment ends: set model.segment=1 or training.window=0")
        if self.spec.outputs == "sequence" and self.settings.pool != "last":
            raise UsageError(
                f"pooling '{self.settings.pool}' needs the whole sequence at once: "
                "set model.pool=last or training.window=0"
            )
