# %% [markdown]
# # 3 · Attacks from scratch: FGSM and PGD in ten lines
#
# **After this notebook you can**
#
# - write FGSM and PGD yourself, and explain every line;
# - name the choices that make an attack weak: too few steps, steps that are too short, the wrong objective;
# - look for the smallest change that fools a system, which needs no ε and no probabilities;
# - aim an attack at a class of your choice.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 50 minutes | notebook 00; gradients, a little PyTorch | about 5 seconds, with or without `FAST` (MNIST: 18) |
#
# Every attack that you write here is compared with tasklab's, pixel by pixel.

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import torch

from tasklab import FGSM, PGD, attack, load, load_data, stream
from tasklab.attacks import CW
from tasklab.experiments.scenario import Scenario
from tasklab.figures import distance_curves, gallery, look_of
from tasklab.models.fast import PLAIN

IMAGE = {"digits": 54, "mnist": 22}[DATA]
test = load_data(DATA, "test").subset(100 if FAST else 300)
x, y = test.x(), test.labels  # (N, 1, H, W) in [0, 1], and (N,)
tra, rbc = load(f"{DATA}-tra"), load(f"{DATA}-rbc")
print(x.shape, "TRA classifies", int((tra.predict(x) == y).sum()), "of", len(y), "images correctly")

# %% [markdown]
# ## 1 · The gradient with respect to an image
#
# In training, the gradient says how to change the *weights* so that the loss falls. Here the weights stay as they are,
# and we ask how to change the *pixels* so that the loss rises.
#
# **Predict.** The gradient of the loss with respect to the image has one number for each… what? What is its shape?

# %%
leaf = x[IMAGE : IMAGE + 1].clone().requires_grad_()
loss = tra.task.loss(tra.outputs(leaf), y[IMAGE : IMAGE + 1]).sum()
(gradient,) = torch.autograd.grad(loss, leaf)
print(gradient.shape)

scaled = 0.5 + 0.5 * gradient[0] / gradient.abs().max()
gallery([leaf.detach()[0], scaled, 0.5 + 0.5 * gradient[0].sign()], ["image", "gradient", "only its sign"])

# %% tags=["check"]
assert gradient.shape == (1, *test.shape), "One number for each pixel of the one image."  # ✓1
raised = tra.task.loss(tra.outputs(leaf.detach() + 0.01 * gradient.sign()), y[IMAGE : IMAGE + 1])
assert raised.item() > loss.item(), "A small step along the sign raises the loss."  # ✓1

# %% [markdown]
# <details><summary>What you should see</summary>
#
# To increase the loss, make a pixel brighter where the gradient is bright, and darker where it is dark [✓1]. The sign
# discards how much each pixel matters. It keeps the direction, and lets *every* pixel use its whole allowance.
# </details>
#
# ## 2 · FGSM: one step
#
# Each pixel may change by at most ε. To first order the loss then rises most if each pixel changes by exactly ε, in the
# direction of the sign of its gradient:
# $x' = \mathrm{clip}_{[0,1]}\,(x + \varepsilon\,\mathrm{sign}\,\nabla_x \mathcal{L})$.

# %%
def fgsm(system, x, y, eps):
    leaf = x.clone().requires_grad_()
    loss = system.task.loss(system.outputs(leaf), y).sum()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return (x + eps * gradient.sign()).clamp(0, 1)


EPS = 0.1
mine = fgsm(tra, x, y, EPS)
theirs = attack(tra, x, y, FGSM(eps=EPS, objective="train", plan=PLAIN))
print("largest difference to tasklab:", float((mine - theirs.images).abs().max()))

# %% tags=["check"]
assert torch.allclose(mine, theirs.images, atol=1e-6), "fgsm and tasklab's FGSM should agree on every pixel."
assert float((mine - x).abs().max()) <= EPS + 1e-6, "No pixel may change by more than ε."

# %% [markdown]
# Why `.sum()` over the batch and not the mean? Each image has a loss of its own, and the gradient of the sum contains
# each image's own gradient. For the sign it makes no difference, but for other attacks it does.
#
# `plan=PLAIN` tells tasklab to run the network exactly as it is. Without it, tasklab may run a faster copy.
#
# ## 3 · PGD: many small steps
#
# FGSM relies on a single gradient for its whole step. PGD takes a short step, computes the gradient again, and never
# leaves the ε-ball:
#
# 1. take a short step along the sign of the gradient;
# 2. put each pixel back to within ε of its original value, and into [0, 1]: the *projection*.

# %%
def pgd(system, x, y, eps, steps, objective, stride=None):
    stride = 2.5 * eps / steps if stride is None else stride
    now = x
    for _ in range(steps):
        leaf = now.clone().requires_grad_()
        value = objective(system.task, system.outputs(leaf), y).sum()
        (gradient,) = torch.autograd.grad(value, leaf)
        now = (now + stride * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return now


def own_loss(task, z, y):
    return task.loss(z, y)

# %%
mine = pgd(tra, x, y, EPS, 10, own_loss)
published = PGD(eps=EPS, steps=10, random_start=False, keep="last", objective="train", plan=PLAIN)
theirs = attack(tra, x, y, published)
print("largest difference to tasklab:", float((mine - theirs.images).abs().max()))

# %% tags=["check"]
assert torch.allclose(mine, theirs.images, atol=1e-6), "pgd and tasklab's PGD should agree on every pixel."

# %% [markdown]
# **Predict.** Same ε, same loss, same images. How many of 100 images does TRA still classify correctly after FGSM, and
# how many after PGD with 10 steps?

# %%
guess = {"fgsm": None, "pgd": None}  # out of 100

# %%
def percent_correct(system, images):
    return 100 * float((system.predict(images) == y).float().mean())


left = {"clean": percent_correct(tra, x), "fgsm": percent_correct(tra, fgsm(tra, x, y, EPS)),
        "pgd": percent_correct(tra, mine)}
print("you said", guess, "and it is", {name: round(share) for name, share in left.items()})

# %% tags=["check"]
assert left["pgd"] <= left["fgsm"] < left["clean"], "A stronger attack leaves fewer images correct."  # ✓2

# %% [markdown]
# <details><summary>What you should see</summary>
#
# PGD leaves no more images correct than FGSM does [✓2]. This order is a health check: where PGD leaves *more* than
# FGSM, the attack is faulty, and its result says nothing about the system. (The paper's Table 1 has such a case: RBC,
# EfficientNet, CIFAR-10, ε = I.)
# </details>
#
# ## 4 · Watch it climb
#
# `stream` yields every iterate of PGD. Below is every second iterate of one image.

# %%
one = slice(IMAGE, IMAGE + 1)
looks, captions, frames = [], [], []
for step in stream(tra, x[one], y[one], PGD(eps=0.2, steps=10, random_start=False, keep="last", objective="train")):
    if step.index % 2 == 0:
        read = int(tra.task.codec.decode(step.outputs))
        looks.append(look_of(read, int(y[IMAGE])))
        captions.append(f"step {step.index}: {read}<br>loss {float(step.value):.3g}")
        frames.append(step.images[0])
gallery(frames, captions, looks=looks)

# %% tags=["check"]
assert int(tra.task.codec.decode(step.outputs)) != int(y[IMAGE]), "At the end TRA should misclassify the image."

# %% [markdown]
# ## 5 · The step size
#
# With 10 steps of 0.25·ε PGD can walk 2.5·ε: to the edge of the ball, and then along it. Now make each of the ten steps
# only 0.05·ε long.
#
# **Predict.** How far from the image can it get at most? Will it fool the system on more images, or on fewer?

# %%
short = pgd(tra, x, y, EPS, 10, own_loss, stride=0.05 * EPS)
print("largest change of a pixel:", round(float((short - x).abs().max()) / EPS, 3), "ε")
print("short steps leave", round(percent_correct(tra, short)), "% correct, the usual ones", round(left["pgd"]), "%")

# %% tags=["check"]
assert float((short - x).abs().max()) < 0.51 * EPS, "Ten steps of 0.05·ε reach 0.5·ε at most."  # ✓3
assert percent_correct(tra, short) > left["pgd"] + 10, "Short steps should leave many more images correct."  # ✓3

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Half of the change that ε allows is never used, and the attack fools fewer images [✓3]. A table would still call this
# "PGD, ε = 0.1". So a table has to give the number of steps and their size, too.
# </details>
#
# ## 6 · What to climb
#
# `pgd` takes the objective as an argument. Here is another one: minus the *margin* of the label, that is, minus the
# distance to where the answer changes. It is negative exactly as long as the image is classified correctly.

# %%
def margin(task, z, y):
    return -task.codec.margins(z).gather(1, y[:, None]).squeeze(1)

# %% tags=["check"]
aimed = attack(rbc, x, y, PGD(eps=EPS, steps=10, random_start=False, keep="last", objective="margin", plan=PLAIN))
assert torch.allclose(pgd(rbc, x, y, EPS, 10, margin), aimed.images, atol=1e-6), "This is tasklab's 'margin', too."

# %% [markdown]
# **Predict.** RBC, ε = 0.2, ten steps. How many images are still classified correctly if the attack climbs the training
# loss, and how many if it climbs minus the margin?

# %%
guess = {"training loss": None, "margin": None}  # in percent

# %%
found = {"training loss": pgd(rbc, x, y, 0.2, 10, own_loss), "margin": pgd(rbc, x, y, 0.2, 10, margin)}
for name, images in found.items():
    same = (images == x).flatten(1).all(dim=1)  # bit for bit
    print(f"{name:13} leaves {percent_correct(rbc, images):3.0f} % correct; "
          f"{100 * float(same.float().mean()):3.0f} % of the images did not change at all")

# %% tags=["check"]
assert percent_correct(rbc, found["training loss"]) > percent_correct(rbc, found["margin"]) + 40  # ✓6
stuck = (found["training loss"] == x).flatten(1).all(dim=1)
held = rbc.predict(found["training loss"]) == y
assert (stuck & held).sum() > 0.9 * held.sum(), "Images that are still correct should be exactly as they were."  # ✓4
assert bool((rbc.task.loss(rbc.outputs(x[stuck]), y[stuck]) == 0).all()), "Unmoved: the loss is exactly 0."  # ✓5
assert percent_correct(rbc, found["margin"]) < 5, "Aimed at the margin, the attack leaves almost none."  # ✓6

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Nearly all images that "withstand" the attack on the training loss never moved [✓4]. RBC's loss is exactly 0 as soon
# as every bit has its margin S, so `gradient.sign()` is 0 everywhere [✓5]. The margin has a gradient, and almost no
# image is left [✓6]. You changed the function that is climbed, and nothing else about the attack.
# </details>
#
# ## 7 · The smallest change that fools
#
# FGSM and PGD are given an ε. Another family of attacks looks for the *shortest* change that fools a system, here as
# measured by the L2 norm. CW (Carlini & Wagner 2017) minimises the length and a margin together. DeepFool
# (Moosavi-Dezfooli et al. 2016) treats the margin as linear, and steps to where it would then be 0. The paper uses
# neither: both "can not attack the binary-label classification", since the attacker "can not directly get the
# probability that the input belongs to a specific category".
#
# **Predict.** Look for the probability in `deepfool` below. On how many of 50 images will it fool RBC? And whose
# shortest changes will be longer, TRA's or RBC's?

# %%
guess = {"fooled": None, "longer": ""}

# %%
def deepfool(system, x, y, steps=50):
    now = x
    for _ in range(steps):
        leaf = now.clone().requires_grad_()
        value = margin(system.task, system.outputs(leaf), y)  # negative while the image is classified correctly
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        stride = 1.02 * (-value).relu() / gradient.flatten(1).square().sum(dim=1)
        now = (now + stride.nan_to_num()[:, None, None, None] * gradient).clamp(0, 1)
    return now.detach()


# %%
few, fooled, nearest = slice(0, 50), {}, {}
for name, system in (("TRA", tra), ("RBC", rbc)):
    fooled[name] = int((system.predict(deepfool(system, x[few], y[few])) != y[few]).sum())
    result = attack(system, x[few], y[few], CW(steps=120))
    nearest[name] = result.distance  # infinite where nothing was found
    print(f"{name}: DeepFool fools {fooled[name]} of 50 images, CW fools {int(result.fooled.sum())}; "
          f"median length {float(result.distance.median()):.2f}")
distance_curves(nearest)

# %% tags=["check"]
assert fooled["RBC"] > 42, "DeepFool needs a margin and its gradient, and a code has both."  # ✓7
assert bool(nearest["RBC"].isfinite().all()), "CW fools RBC on every image, …"  # ✓8
assert nearest["RBC"].median() <= nearest["TRA"].median(), "… and its changes are no longer than TRA's."  # ✓8

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Neither attack asks for a probability. All they need is a number that says how far the answer is from changing, and
# every decoder provides one [✓7]. CW fools RBC on all 50 images, and the median length of the changes is no larger than
# for TRA [✓8].
# </details>

# %% [markdown]
# ## Exercise 1 · FGSM in another ball (8 minutes)
#
# Under the L2 norm, ε limits the *length* of the whole change, not each pixel. Then the best single step goes along the
# gradient itself, not its sign: $x' = \mathrm{clip}_{[0,1]}\,(x + \varepsilon\, g / \lVert g \rVert_2)$.
#
# *Hint.* Start from `fgsm`. Each image has a gradient and a length of its own: `flatten(1)` makes a row of each image,
# and `[:, None, None, None]` gives numbers `(N,)` the shape that divides `(N, 1, H, W)`.

# %% tags=["exercise"]
def fgsm_l2(system, x, y, eps):
    return x  # replace this line


# %% tags=["solution"]
def fgsm_l2(system, x, y, eps):
    leaf = x.clone().requires_grad_()
    loss = system.task.loss(system.outputs(leaf), y).sum()
    (gradient,) = torch.autograd.grad(loss, leaf)
    length = gradient.flatten(1).norm(dim=1)[:, None, None, None]
    return (x + eps * gradient / length).clamp(0, 1)


# %% tags=["check"]
mine = fgsm_l2(tra, x, y, 1.0)
theirs = attack(tra, x, y, FGSM(eps=1.0, norm="l2", objective="train", plan=PLAIN)).images
lengths = (mine - x).flatten(1).norm(dim=1)
assert not torch.equal(mine, x), "Exercise 1: fgsm_l2 returns the images unchanged."
assert mine.min() >= 0 and mine.max() <= 1, "Exercise 1: the pixels have to stay in [0, 1]. Try .clamp(0, 1)."
assert float(lengths.max()) <= 1 + 1e-4, (
    f"Exercise 1: some image has changed by a length of {float(lengths.max()):.3g}, and ε is 1. Divide each gradient "
    "by its own length, not by that of the whole batch, and take no sign.")
assert float(lengths.mean()) > 0.8 * float((theirs - x).flatten(1).norm(dim=1).mean()), (
    "Exercise 1: the images change by less than ε. What do you divide by?")
assert torch.allclose(mine, theirs, atol=1e-4), (
    "Exercise 1: the length is right, but not the direction. Step along the gradient itself, not its sign, and uphill.")
half = attack(tra, x, y, FGSM(eps=0.5, norm="l2", objective="train", plan=PLAIN)).images
assert torch.allclose(fgsm_l2(tra, x, y, 0.5), half, atol=1e-4), "Exercise 1: right for ε = 1, but not for ε = 0.5."

# %% [markdown]
# ## Exercise 2 · Make it a 3 (8 minutes)
#
# So far any wrong answer was good enough. Now make TRA read a **3** wherever possible. Write an objective `towards_3`
# that is large when the image is read as 3. The check gives it to `pgd` with ε = 0.3 and 20 steps.
#
# *Hint.* `torch.full_like(y, 3)` is a label 3 for each image. What should the loss at that label do, and what does PGD
# do?

# %% tags=["exercise"]
def towards_3(task, z, y):
    return own_loss(task, z, y)  # replace this line: so far it only leads away from the label


# %% tags=["solution"]
def towards_3(task, z, y):
    return -task.loss(z, torch.full_like(y, 3))


# %% tags=["check"]
others = y != 3
threes = tra.predict(pgd(tra, x, y, 0.3, 20, towards_3))[others] == 3
share = 100 * float(threes.float().mean())
print(f"{share:.0f} % of the other digits are read as 3")
assert towards_3(tra.task, tra.read(x), y).shape == y.shape, "Exercise 2: return one number for each image."
assert share > 60, f"Exercise 2: only {share:.0f} % are read as 3. Is the sign right, and is 3 the label of the loss?"

# %% [markdown]
# ## Exercise 3 · Open-ended: weaken an attack without anybody noticing (homework)
#
# You have seen an attack with steps that are too short, and one that climbs the wrong thing. Find *another* way to
# make PGD look weaker than it is, of which a table with "PGD, ε = 0.1" would show no trace. Predict what it does,
# measure it beside the honest attack, and say which line a table would need so that a reader could notice. There is no
# single right answer: the check only makes sure that nothing is missing.
#
# *Hint.* Where does the attack start? Which iterate is kept? In which units is ε given? How many images are counted,
# and which? Is the network in evaluation mode?

# %% tags=["exercise"]
report = {"changed": "", "predicted": "", "measured": {}, "concluded": ""}  # three texts, and numbers by their names

# %% tags=["solution"]
std = float(x.std())
report = {
    "changed": "ε in units of normalised images: each pixel may then change by ε times the standard deviation.",
    "predicted": "The ball is smaller by that factor, so more images stay correct.",
    "measured": {"honest": left["pgd"], "weakened": percent_correct(tra, pgd(tra, x, y, EPS * std, 10, own_loss))},
    "concluded": "A table has to say in which units ε is given, or give it in grey levels out of 255.",
}

# %% tags=["check"]
for part in ("changed", "predicted", "concluded"):
    assert len(str(report.get(part, "")).split()) >= 4, f"Exercise 3: write a sentence into report['{part}']."
numbers = report.get("measured")
assert isinstance(numbers, dict) and len(numbers) >= 2, "Exercise 3: give at least two measurements, by their names."
assert all(isinstance(value, int | float) for value in numbers.values()), "Exercise 3: measurements are numbers."
print(report["concluded"])

# %% [markdown]
# ## The same in the app
#
# The attack lab shows these steps one after the other, for all four systems.

# %%
systems = tuple(f"{DATA}-{key}" for key in ("tra", "rbc"))
print(Scenario(data=DATA, image=IMAGE, systems=systems, eps=0.2, steps=10, keep="last").link("attack_lab"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. FGSM uses the sign of the gradient. Which property of the ε-ball makes that the best step?
# 2. Somebody reports: "PGD, 40 steps, step size 0.001, ε = 0.3". What is wrong?
# 3. A defence rounds the pixels inside the network. What is the gradient then, and what does PGD return?
# 4. PGD leaves 30 %, FGSM leaves 20 %. What do you conclude?
#
# <details><summary>Answers</summary>
#
# 1. It is a cube: under this norm every pixel may use the whole ε, whatever the others do. So the best step goes to a
#    corner.
# 2. 40 · 0.001 = 0.04: the attack never gets further than a seventh of ε.
# 3. It is 0 almost everywhere, so PGD returns the image unchanged. That is masking, not robustness.
# 4. That this PGD is faulty (steps, step size, objective). It says nothing good about the system.
# </details>
#
# ## Further reading
#
# - [@goodfellow2015] FGSM.
# - [@kurakin2017]
# - [@madry2018] PGD as it is used today.
# - [@moosavi2016]
# - [@carlini2017] Why one should not climb the training loss.
