"""Pictures as the tutorials train on them, and the usual mistakes with them."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW

from . import data
from .cases_blind_sequence import blown, broken, thrown
from .cases_healthy_plain import classify
from .data_fifth import digits, pictures
from .labels import due, healthy, sick
from .models_fifth import DCGAN, ConvCoder, DeepUNet, Dense, ResNet, ViT, lenet, vgg
from .registry import case
from .trainer import Job, Scaler


def cosine(rate, steps, warm=0):
    """A linear warm-up, then half a cosine down to 0."""
    return lambda s: rate * (
        (s + 1) / warm if s < warm else 0.5 * (1 + math.cos(math.pi * (s - warm) / (steps - warm)))
    )


@case("resnet_sgd_cosine", "residual_images", "SGD with Nesterov momentum, cosine", "plain")
@case("resnet_fp16_scaler", "residual_images", "the same in fp16 with a loss scaler", "amp")
@case("resnet_sgd_rate_10", "residual_images", "the same with a rate of 10", "high")
@case("resnet_gamma_ten", "residual_images", "the rate grows tenfold every 40 steps", "gamma")
def resnet(seed, kind):
    x, y = pictures(seed)
    steps, size = (80, 24) if kind == "amp" else (200, 64)
    rate = cosine({"high": 10.0, "gamma": 0.02}.get(kind, 0.1), steps)
    if kind == "gamma":
        rate = lambda s: 0.02 * 10 ** (s // 40)  # noqa: E731
    model = ResNet(1 if kind == "amp" else 2)
    optimizer = SGD(
        model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4, nesterov=kind != "gamma"
    )
    source = data.batches(x, y, size, seed)
    job = Job(model, optimizer, source, classify, steps, 2, 2, "cross_entropy", size, rate)
    if kind == "amp":
        job.scaler, job.autocast, job.every = Scaler(65536.0, 50), True, 1
    if kind in ("plain", "amp"):
        return job, healthy()
    alt = ["loss_spike", "exploding_gradient"]
    if kind == "high":
        alt += ["loss_divergence", "update_ratio_too_high"]
        must = {"loss_plateau": due(0, steps - 2, alt=alt)}
        return job, sick(must, [*blown(), *thrown(*must), "dead_relu"], "at ln 10 or above")

    def label(seen):
        bad = seen.first_bad("loss")
        must = {"loss_divergence": due(40, bad or steps, alt=alt)}
        if bad:
            must["non_finite_loss"] = due(bad, bad + 4)
            must["non_finite_gradient"] = due(seen.first_bad("gn"), bad + 4)
        may = [*blown(*must), *thrown(*must), "dead_relu"]
        return sick(must, may, "learns twice, then the rate is past what it bears")

    return job, label


@case("lenet_sgd_momentum", "lenet", "SGD at 0.01 with momentum 0.9, batches of 32", "plain")
@case("lenet_fit_64_rows", "lenet", "Adam fits 64 pictures until none is wrong", "fit")
@case("lenet_random_labels", "lenet", "every label is drawn at random, new each time", "noise")
@case("lenet_ascends", "lenet", "the sign of the loss is wrong", "sign")
@case("lenet_pixels_255", "lenet", "pixels from 0 to 255, SGD at 0.05", "pixels")
@case("lenet_decay_in_adam", "lenet", "Adam with an L2 penalty of 1", "decay")
def small(seed, kind):
    x, y = pictures(seed, channels=1, rows=64 if kind == "fit" else 1200)
    if kind == "pixels":
        x = ((x * 50) + 128).clamp(0, 255)
    plain = data.batches(x, y, 32, seed)

    def source(step):
        rows, labels = plain(step)
        if kind == "noise":
            labels = torch.randint(10, labels.shape, generator=data.generator(seed + 31 * step))
        return rows, labels

    def loss(model, batch):
        value, extras = classify(model, batch)
        return (-value if kind == "sign" else value), extras

    model = lenet()
    optimizer = SGD(model.parameters(), 0.05 if kind == "pixels" else 0.01, momentum=0.9)
    if kind in ("fit", "decay"):
        optimizer = Adam(model.parameters(), 1e-3, weight_decay=1.0 if kind == "decay" else 0.0)
    steps = 400 if kind in ("plain", "fit") else 240
    job = Job(model, optimizer, source, loss, steps, 2, 3, "cross_entropy", 32)
    if kind in ("plain", "fit"):
        return job, healthy()
    if kind == "sign":
        job.every = 1

        def label(seen):
            bad = min(seen.first_bad("loss"), seen.first_bad("gn"))
            must = {
                "exploding_gradient": due(10, bad),
                "non_finite_loss": due(bad, bad + 3),
                "non_finite_gradient": due(bad, bad + 3),
            }
            may = [*blown(*must), "dead_relu"]
            return sick(must, may, "the loss that is shown falls, without end")

        return job, label
    must, may = {"loss_plateau": due(20, 238)}, thrown("loss_plateau")
    if kind == "noise":
        return job, sick(must)
    if kind == "pixels":
        must["dead_relu"] = due(0, 120)
    else:
        may.append("dead_relu")
    return job, sick(must, may)


PLAN = [12, 12, "M", 16, 16, "M", 24, 24]


@case("vgg_bn_adam", "plain_images", "six convolutions with batch norms, dropout, Adam", "norm")
@case("conv_24_no_norm", "plain_images", "24 convolutions, no norms, no skips", "deep")
@case("vgg_one_rate_x1000", "plain_images", "the last layer's rate is 1000 times too high", "rate")
@case("vgg_dead_by_adam_03", "plain_images", "Adam at 0.3, no norms", "dead")
def plain_convolutions(seed, kind):
    x, y = pictures(seed)
    norm = kind == "norm"
    plan = [12] * 8 + ["M"] + [12] * 8 + ["M"] + [12] * 8 if kind == "deep" else PLAN
    model = vgg(plan, norm, dropout=0.4 if norm else 0.0)
    optimizer = Adam(model.parameters(), 0.3 if kind == "dead" else 1e-3)
    if kind == "deep":
        optimizer = SGD(model.parameters(), 0.05, momentum=0.9)
    if kind == "rate":
        last = list(model[-1].parameters())
        rest = [p for p in model.parameters() if all(p is not q for q in last)]
        optimizer = SGD([{"params": rest}, {"params": last, "lr": 20.0}], 0.02, momentum=0.9)
    steps = 120 if kind == "deep" else 160
    source = data.batches(x, y, 32, seed)
    job = Job(model, optimizer, source, classify, steps, 2, 3, "cross_entropy", 32)
    if norm:
        return job, healthy()
    if kind == "deep":
        must = {
            "vanishing_gradient": due(0, 80, ["0", "2", "4"], ["uniformly_small_gradient"]),
            "loss_plateau": due(20, steps - 2),
        }
        may = "dead_relu poor_initialization unchanged_weights update_ratio_too_low".split()
        return job, sick(must, [*may, "uniformly_small_gradient"])
    if kind == "rate":
        alt = """loss_spike exploding_gradient loss_divergence non_finite_loss
            loss_oscillation""".split()
        must = {"update_ratio_too_high": due(0, 80, alt=alt), "dead_relu": due(0, 120)}
        return job, sick(must, [*blown(*must), *thrown(*must)])
    alt = ["loss_spike", "loss_plateau", "exploding_gradient"]
    must = {"dead_relu": due(0, 100, alt=["loss_plateau"]), "update_ratio_too_high": due(0, 60)}
    must["update_ratio_too_high"]["alt"] = alt
    return job, sick(must, [*blown(*must), *thrown(*must)])


@case("vit_label_smoothing", "patches", "four blocks, AdamW, warm-up, label smoothing")
def vit(seed):
    x, y = pictures(seed)

    def loss(model, batch):
        logits = model(batch[0])
        value = F.cross_entropy(logits, batch[1], label_smoothing=0.1)
        return value, {"acc": (logits.argmax(1) == batch[1]).float().mean()}

    model = ViT()
    optimizer = AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    source = data.batches(x, y, 64, seed)
    clip = ("norm", 1.0)
    job = Job(model, optimizer, source, loss, 220, 2, 3, "ce", 64, cosine(1e-3, 220, 20), clip)
    return job, healthy("clips by design, yet learns", ["clipping_every_step"])


@case("densenet_sgd", "dense_images", "two dense blocks with batch norms, SGD")
def dense(seed):
    x, y = pictures(seed)
    model = Dense()
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    rate = lambda s: 0.1 if s < 75 else 0.01  # noqa: E731
    source = data.batches(x, y, 32, seed)
    return Job(model, optimizer, source, classify, 130, 1, 3, "ce", 32, rate), healthy()


@case("unet_dice_adam", "segmenting", "two levels, batch norms, cross-entropy and Dice", 16)
@case("unet_batch_1_group_norm", "segmenting", "one picture a batch, group norms", 1)
def segment(seed, size):
    x, y = data.discs(seed)
    norm = nn.BatchNorm2d if size > 1 else lambda width: nn.GroupNorm(4, width)
    model = DeepUNet(norm)

    def loss(model, batch):
        logits = model(batch[0])
        share = logits.sigmoid()
        both = 2 * (share * batch[1]).sum() + 1
        dice = 1 - both / (share.sum() + batch[1].sum() + 1)
        return F.binary_cross_entropy_with_logits(logits, batch[1]) + dice

    source = data.batches(x, y, size, seed)
    optimizer = Adam(model.parameters(), 1e-3)
    job = Job(model, optimizer, source, loss, 200 if size > 1 else 300, 2, 3, "bce_dice", size)
    noisy = ["loss_spike", "gradient_spike"] if size == 1 else []
    return job, healthy("one row a batch: a hard row is a spike by itself" if noisy else "", noisy)


@case("conv_autoencoder", "coding", "strided convolutions, mean squared error, Adam", False)
@case("conv_vae_sum", "coding", "the same with a sampled code and a summed loss", True)
@case("autoencoder_sigmoid_end", "coding", "targets from -2 to 3, but it ends with a sigmoid", None)
def coding(seed, normal):
    x, _ = pictures(seed, channels=1, noise=0.2)
    wanted = x if normal is None else (x * 0.25 + 0.4).clamp(0, 1)
    model = ConvCoder(normal=bool(normal))
    if normal is None:
        model.decoder.append(nn.Sigmoid())

    def loss(model, batch):
        if not normal:
            return F.mse_loss(model(batch[0]), batch[1])
        logits, middle, spread = model(batch[0])
        off = F.binary_cross_entropy_with_logits(logits, batch[1], reduction="sum")
        return (off - 0.5 * (1 + spread - middle.square() - spread.exp()).sum()) / len(batch[0])

    source = data.batches(x if normal is None else wanted, wanted, 64, seed)
    job = Job(model, Adam(model.parameters(), 2e-3), source, loss, 240, 2, 3, "loss", 64)
    if normal is not None:
        return job, healthy()
    must = {"saturated_activation": due(5, 238, ["decoder.6"], ["loss_plateau"])}
    return job, sick(must, ["loss_plateau", "dead_relu"], "below 0 there is nothing it can give")


@case("dcgan_adam", "adversaries", "DCGAN with its usual rates")
def dcgan(seed):
    x, _ = pictures(seed, channels=1, noise=0.1)
    x = (x / 3).clamp(-1, 1)
    model = DCGAN()
    source = data.batches(x, x, 32, seed)
    trained = [Adam(model.netD.parameters(), 2e-4, (0.5, 0.999))]
    trained.append(Adam(model.netG.parameters(), 2e-4, (0.5, 0.999)))

    def backward(step):
        real, _ = source(step)
        false = model.netG(torch.randn(32, 16, 1, 1))
        right, wrong = model.netD(real), model.netD(false.detach())
        discriminated = F.softplus(-right).mean() + F.softplus(wrong).mean()
        discriminated.backward()
        kept = [p.grad.clone() for p in model.netD.parameters()]
        fooled = model.netD(false)
        generated = F.softplus(-fooled).mean()
        generated.backward()
        for p, gradient in zip(model.netD.parameters(), kept):
            p.grad = gradient
        return discriminated.item(), {"loss_g": generated.detach()}

    job = Job(model, trained[0], source, None, 220, 2, 3, "bce", 32, backward=backward)
    job.others = trained[1:]
    return job, healthy("two players: the loss need not fall", ["loss_plateau"])


@case("simclr_views", "contrast_images", "two views of each picture, a temperature of 0.2")
def simclr(seed):
    x, _ = pictures(seed)
    model = ResNet(1)
    model.fc = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 16))

    def view(rows):
        rows = torch.where(torch.rand(len(rows), 1, 1, 1) < 0.5, rows, rows.flip(-1))
        return rows + 0.3 * torch.randn_like(rows)

    def loss(model, batch):
        codes = F.normalize(model(torch.cat([view(batch[0]), view(batch[0])])))
        alike = codes @ codes.T / 0.2
        alike.fill_diagonal_(-1e9)
        half = len(codes) // 2
        return F.cross_entropy(alike, torch.arange(2 * half).roll(half))

    source = data.batches(x, x, 48, seed)
    optimizer = Adam(model.parameters(), 1e-3, weight_decay=1e-6)
    return Job(model, optimizer, source, loss, 140, 1, 3, "nt_xent", 48), healthy()


@case("transfer_two_rates", "transfer", "a trained ResNet on other classes: a tenth of the rate")
def transfer(seed):
    x, y = pictures(seed, classes=20, rows=2000)
    model = ResNet(1)
    first, second = y < 10, y >= 10
    source, teach = data.batches(x[first], y[first], 64, seed), Adam(model.parameters(), 3e-3)
    for step in range(120):
        teach.zero_grad()
        classify(model, source(step))[0].backward()
        teach.step()
    model.fc = nn.Linear(32, 10)
    body = [p for n, p in model.named_parameters() if not n.startswith("fc")]
    optimizer = Adam([{"params": body, "lr": 1e-4}, {"params": model.fc.parameters()}], 1e-3)
    source = data.batches(x[second], y[second] - 10, 32, seed + 1)
    return Job(model, optimizer, source, classify, 200, 1, 3, "cross_entropy", 32), healthy()


@case("digits_sigmoid_8_sgd", "flat_digits", "eight sigmoid layers, PyTorch's start, SGD", "deep")
@case("digits_zero_start", "flat_digits", "all weights start at 0", "zero")
@case("digits_start_of_one", "flat_digits", "all weights start from N(0, 1)", "large")
@case("digits_log_of_softmax", "flat_digits", "log(softmax(x)) by hand, Adam at 0.05", "log")
@case("digits_fp16_overflows", "flat_digits", "fp16, a loss scale of 2^24 that never sinks", "half")
@case("digits_rate_int_division", "flat_digits", "the rate is 0: a division of integers", "never")
@case("digits_adam_1e7", "flat_digits", "Adam at 1e-7", "slow")
@case("digits_clip_1e4", "flat_digits", "SGD clipped at a norm of 1e-4", "clip")
def flat(seed, kind):
    x, y = digits(seed)
    act = nn.Sigmoid if kind == "deep" else nn.ReLU
    widths = [64] * 8 if kind == "deep" else [64, 64, 32]
    layers = []
    for fan_in, fan_out in zip([256, *widths], widths):
        layers += [nn.Linear(fan_in, fan_out), act()]
    model = nn.Sequential(*layers, nn.Linear(widths[-1], 10))
    for p in model.parameters():
        if kind == "zero":
            nn.init.zeros_(p)
        if kind == "large" and p.dim() == 2:
            nn.init.normal_(p)
    rate = {"log": 0.05, "slow": 1e-7, "deep": 0.1, "large": 0.01, "clip": 0.05}.get(kind, 1e-3)
    made = SGD if kind in ("deep", "large", "zero", "clip") else Adam

    def loss(model, batch):
        if kind != "log":
            return classify(model, batch)
        share = model(batch[0] * 40).softmax(1)
        return -(F.one_hot(batch[1], 10) * share.log()).sum(1).mean()

    source = data.batches(x, y, 64, seed)
    job = Job(model, made(model.parameters(), rate), source, loss, 200, 1, 3, "ce", 64)
    if kind == "never":
        job.rate = lambda s: 1e-3 * (s // 10000)
        stuck = ["update_ratio_too_low"]
        return job, sick({"unchanged_weights": due(0, 80, alt=stuck)}, [*stuck, "loss_plateau"])
    if kind == "slow":
        may = ["loss_plateau", "unchanged_weights"]
        return job, sick({"update_ratio_too_low": due(0, 150)}, may)
    if kind == "clip":
        job.clip = ("norm", 1e-4)
        must = {"clipping_every_step": due(0, 60), "update_ratio_too_low": due(0, 150)}
        return job, sick(must, ["loss_plateau", "unchanged_weights"])
    if kind == "half":
        job.scaler, job.autocast = Scaler(2.0**24, 10**6), True
        job.scaler.update = lambda overflow: None
        must = {"non_finite_gradient": due(0, 60)}
        stuck = "loss_plateau unchanged_weights update_ratio_too_low uniformly_small_gradient"
        return job, sick(must, stuck.split(), "every step overflows and is skipped")
    if kind == "log":
        return job, broken([*blown(), "dead_relu", "loss_plateau"])
    stuck = "unchanged_weights update_ratio_too_low uniformly_small_gradient dead_relu".split()
    if kind == "deep":
        must = {"vanishing_gradient": due(0, 60, ["0", "2", "4"]), "loss_plateau": due(20, 199)}
        return job, sick(must, [*stuck, "poor_initialization"])
    if kind == "zero":
        must = {"poor_initialization": due(0, 40), "loss_plateau": due(20, 199)}
        return job, sick(must, [*stuck, "vanishing_gradient"])
    must = {"poor_initialization": due(0, 40, alt=["exploding_gradient", "non_finite_loss"])}
    return job, sick(must, [*blown(*must), *thrown(*must), "dead_relu", "loss_plateau"])
