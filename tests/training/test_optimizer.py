from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ostinato.errors import UsageError
from ostinato.training import OptimizerSettings
from ostinato.training.optimizer import build_optimizer
from ostinato.training.update import Updater

DECAY, RATE = 0.1, 0.05


def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3)).double()


def loss_of(net: nn.Module, step: int) -> Tensor:
    torch.manual_seed(100 + step)
    return (net(torch.randn(7, 4, dtype=torch.float64)) ** 2).mean() * 50


def theirs(name: str, net: nn.Sequential) -> torch.optim.Optimizer:
    decayed = [net[0].weight, net[2].weight]
    free = [net[0].bias, net[1].weight, net[1].bias, net[2].bias]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": free, "weight_decay": 0.0}]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=RATE, momentum=0.9, nesterov=False, foreach=False)
    return (torch.optim.Adam if name == "adam" else torch.optim.AdamW)(groups, lr=RATE, foreach=False)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize(("clip_norm", "clip_value"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.01), (0.3, 0.05)])
def test_updates_are_those_of_torch_optim(name: str, clip_norm: float, clip_value: float) -> None:
    ours, reference = model(), model()
    settings = OptimizerSettings(
        name=name, learning_rate=RATE, weight_decay=DECAY, clip_norm=clip_norm, clip_value=clip_value
    )
    updater = Updater(build_optimizer(ours, settings), settings, torch.amp.GradScaler("cpu", enabled=False))
    optimizer = theirs(name, reference)
    for step in range(6):
        norm = updater.backward(loss_of(ours, step))
        updater.step(RATE / (step + 1))
        optimizer.zero_grad()
        loss_of(reference, step).backward()
        weights = list(reference.parameters())
        if clip_value:
            for weight in weights:
                weight.grad.clamp_(-clip_value, clip_value)
        expected = torch.cat([weight.grad.flatten() for weight in weights]).norm()
        if clip_norm:
            assert float(norm) == pytest.approx(float(expected))
            for weight in weights:
                weight.grad.mul_(min(1.0, clip_norm / (float(expected) + 1e-6)))
        else:
            assert norm is None
        for group in optimizer.param_groups:
            group["lr"] = RATE / (step + 1)
        optimizer.step()
    for mine, other in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-9, atol=1e-12)


def test_frozen_weights_stay_and_a_model_without_any_other_is_refused() -> None:
    net = model()
    net[0].requires_grad_(False)
    optimizer = build_optimizer(net, OptimizerSettings())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4
    with pytest.raises(UsageError, match="no weight to train"):
        build_optimizer(net.requires_grad_(False), OptimizerSettings())


def test_a_model_of_biases_alone_has_no_decay() -> None:
    net = nn.LayerNorm(3)
    [group] = build_optimizer(net, OptimizerSettings(weight_decay=0.5)).param_groups
    assert group["weight_decay"] == 0.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "adm"}, r"optimizer.name 'adm' is unknown. Did you mean 'adam'\?"),
        ({"schedule": "cosin"}, r"Did you mean 'cosine'\?"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; it must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"warmup": 2.0}, r"a share in \[0, 1\]"),
        ({"decay": 0.0}, "decay is 0.0"),
        ({"every": 0}, "every is 0; it must be 1 or more"),
        ({"clip_norm": -1.0}, "clip_norm is -1.0"),
        ({"clip_value": -1.0}, "clip_value is -1.0"),
    ],
)
def test_wrong_settings_say_what_they_must_be(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_optimizer(model(), OptimizerSettings(**wrong))


@pytest.mark.parametrize("clip_norm", [0.0, 0.5])
def test_a_loss_scale_changes_nothing_but_leaves_out_what_overflows(clip_norm: float) -> None:
    settings = OptimizerSettings(learning_rate=RATE, clip_norm=clip_norm)
    nets = [model().float(), model().float()]
    scalers = [torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=enabled) for enabled in (True, False)]
    updaters = [
        Updater(build_optimizer(net, settings), settings, scaler) for net, scaler in zip(nets, scalers, strict=True)
    ]
    for step in range(4):
        torch.manual_seed(step)
        x = torch.randn(7, 4)
        for net, updater in zip(nets, updaters, strict=True):
            norm = updater.backward((net(x) ** 2).mean())
            assert (norm is None) == (updater.scaler.is_enabled() or not clip_norm)
            updater.step(RATE)
    for scaled, plain in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(scaled, plain)
    before = [weight.detach().clone() for weight in nets[0].parameters()]
    updaters[0].backward(nets[0](torch.ones(1, 4)).sum() * float("inf"))
    updaters[0].step(RATE)
    assert all(torch.equal(one, other) for one, other in zip(nets[0].parameters(), before, strict=True))
    assert scalers[0].get_scale() == 512.0
