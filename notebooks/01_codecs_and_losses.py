# %% [markdown]
# # 1 · Codecs and losses: how a task says what a network means
#
# **After this notebook you can**
#
# - encode a label and decode an output for scores (TRA), bits (RBC, DeepBE) and intervals (INT), with pencil and paper;
# - compute a *margin*, and say in one sentence what it promises;
# - say for which outputs a training loss has no gradient at all.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 45 minutes | notebook 00 | a few seconds, with or without `FAST` |
#
# No network is trained or attacked here. We look only at the last step, from numbers to labels.

# %% tags=["parameters"]
FAST = False  # True: less work, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has downloaded it

# %%
import torch

from tasklab import ABNORMAL, INT, RBC, TRA, DeepBE
from tasklab.experiments.scenario import Scenario
from tasklab.figures import lines, outputs_figure

generator = torch.Generator().manual_seed(SEED)

# %% [markdown]
# ## 1 · From a label to a codeword
#
# TRA's codeword of a label is *one-hot*: ten numbers, of which a single one is 1. RBC writes the label in binary, with
# 4 bits.
#
# **Predict.** What is RBC's codeword of the label 9?

# %%
guess = []  # four bits, the most significant first

# %%
rbc = RBC(num_classes=10, S=350)
for label in range(10):
    print(label, "->", rbc.codec.encode(torch.tensor([label]))[0].int().tolist())

# %% tags=["check"]
assert rbc.codec.encode(torch.tensor([9]))[0].tolist() == [1, 0, 0, 1], "9 = 8 + 1"

# %% [markdown]
# ## 2 · From outputs back to a label
#
# A network never outputs exactly 0 or 1. For RBC a bit is 1 if its output is **above 0**. All four bits together must
# be the codeword of a class.
#
# **Predict.** The outputs are `[500, -20, -3, 7]`. Which label is that? And `[500, 20, -3, 7]`?

# %%
guess = []  # two answers; −1 stands for None

# %%
z = torch.tensor([[500.0, -20.0, -3.0, 7.0], [500.0, 20.0, -3.0, 7.0]])
print(rbc.codec.decode(z).tolist())
outputs_figure(rbc, z[1], label=9)

# %% tags=["check"]
assert rbc.codec.decode(z).tolist() == [9, ABNORMAL], "1001 is 9; 1101 is 13, and there is no class 13."  # ✓1

# %% [markdown]
# <details><summary>What you should see</summary>
#
# `1001` is 9. `1101` would be 13, which is not a class, so the answer is `ABNORMAL`, the paper's *None* [✓1].
# Note that the third and fourth outputs, −3 and 7, are tiny compared with a margin of 350. Only their sign counts.
# </details>
#
# **Predict.** There are 16 patterns of four bits. If all of them were equally likely, how often would RBC say None?

# %% tags=["check"]
patterns = torch.tensor([[float(2 * (k >> i & 1) - 1) for i in (3, 2, 1, 0)] for k in range(16)])
none = (rbc.codec.decode(patterns) == ABNORMAL).float().mean()
print(f"{float(none):.1%} of the patterns mean None")
assert int((rbc.codec.decode(patterns) == ABNORMAL).sum()) == 6

# %% [markdown]
# ## 3 · Intervals
#
# INT has a single output. Class y owns the interval from $L(y) = s_0 + y(\alpha + \beta)$ to $U(y) = L(y) + \beta$:
# β is the length of an interval, α the length of the gap above it.
#
# **Predict.** With $s_0 = 0$, α = 1, β = 3: which interval belongs to label 3? (This is the paper's own example.)

# %%
guess = []  # from, to

# %%
interval = INT(num_classes=10, s0=0, alpha=1, beta=3)
print(interval.codec.encode(torch.tensor([3]))[0].tolist())
outputs_figure(interval, [13.0], [15.4], label=3)

# %% tags=["check"]
assert interval.codec.encode(torch.tensor([3]))[0].tolist() == [12, 15]
assert interval.codec.decode(torch.tensor([[15.4]])).tolist() == [ABNORMAL], "15.4 lies in the gap above 15."

# %% [markdown]
# The paper describes decoding through a formula, $\lfloor (z - s_0)/(\alpha + \beta) \rfloor$, and a condition: an
# output that "does not belong to any interval label" makes the example abnormal. The two fit together. Inside an
# interval the formula gives its class; everywhere else the condition applies. *Without* the condition, the formula
# assigns the gap above class 3 to class 3. tasklab has both decoders: strict, which is the default, and the formula
# alone (`gap="floor"`).
#
# **Predict.** Which of the values 12, 15, 15.4, 16 and 40.5 do the two decoders read differently?

# %%
guess = []

# %%
floor = INT(num_classes=10, s0=0, alpha=1, beta=3, gap="floor")
for value in (12.0, 15.0, 15.4, 16.0, 40.5):
    z = torch.tensor([[value]])
    print(f"{value:5}: strict reads {int(interval.codec.decode(z)):2}, floor reads {int(floor.codec.decode(z)):2}")

# %% tags=["check"]
inside = torch.linspace(0, 40, 4001)[:, None]
strict, alone = interval.codec.decode(inside), floor.codec.decode(inside)
assert torch.equal(strict[strict != ABNORMAL], alone[strict != ABNORMAL]), "Inside the intervals they agree."
assert int(floor.codec.decode(torch.tensor([[15.4]]))) == 3, "The formula alone reads 15.4 as class 3."

# %% [markdown]
# A number about INT means little unless you say which decoder produced it: the same system may say None often under the
# strict decoder, and hardly ever under the formula alone.

# %% [markdown]
# ## 4 · Margins: one number for "how far from another answer"
#
# | task | margin of class k |
# | --- | --- |
# | TRA | its score minus the largest other score |
# | RBC | its worst bit: $\min_i s_{ki} z_i$, where $s_{ki}$ is +1 for a bit that must be 1, and −1 for 0 |
# | DeepBE | the same, with $z_i - 0.5$ |
# | INT | the distance to the nearer end: $\min(z - L_k,\ U_k - z)$ |
#
# The promise: **the margin of class k is positive if and only if the answer is k.** If no class has a positive margin,
# the answer is None.
#
# **Predict.** RBC's outputs are `[500, -20, -3, 7]` again, which is a 9. What is the margin of class 9?

# %%
guess = None

# %%
z = torch.tensor([[500.0, -20.0, -3.0, 7.0]])
print("margins of the classes 0 to 9:", rbc.codec.margins(z)[0].tolist())

# %% tags=["check"]
assert float(rbc.codec.margins(z)[0, 9]) == 3.0, "The worst bit decides: the third one, with −3 on the side of 0."  # ✓2
for task in (TRA(), rbc, DeepBE(), INT()):
    z = 200 * torch.randn(10_000, task.width, generator=generator)
    margins, decoded = task.codec.margins(z), task.codec.decode(z)
    for k in range(10):
        assert torch.equal(margins[:, k] > 0, decoded == k), "The promise must hold for every output and class."  # ✓3
end = torch.tensor([[12.0]])  # the lower end of the interval of class 3, of the INT of section 3
assert int(interval.codec.decode(end)) == 3 and 0 < float(interval.codec.margins(end)[0, 3]) < 1e-30  # ✓4

# %% [markdown]
# <details><summary>What you should see</summary>
#
# The margin is 3: the worst bit decides [✓2]. It does not help that the first bit is at 500. The check tested the
# promise on 10,000 random outputs of each task [✓3]. So an attacker who wants to *break* an answer has to bring its
# margin down to 0, and no further.
#
# What about exactly 0? By the table, z = 12.0 has margin 0 for class 3, since it lies on the end of [12, 15]. But an
# interval contains its ends, so 12.0 decodes to 3 [✓4]. To keep its promise, tasklab counts such an end as the smallest
# positive margin there is (about 1e-38) rather than 0 [✓4]. Where a bit is exactly 0, the bit is 0, as in equation 2 of
# the paper.
# </details>
#
# ## 5 · Losses: what training asks for
#
# Take one bit that should be 1, and call its output z. Here are three losses for it:
#
# - RBC: $\mathrm{relu}(S - z)^2$. "Be at least S." (The figure shows it divided by $S^2$.)
# - DeepBE as the paper writes it: $\mathrm{relu}(0.5 - z)^2$. "Be above 0.5."
# - DeepBE as it was first published: $(z - 1)^2$. "Be 1."
#
# **Predict.** For which z is each loss exactly 0? Sketch the three curves on paper first.

# %%
t = torch.linspace(-1, 3, 81)  # z for DeepBE; z / S for RBC
bit = torch.ones(len(t), 1)
one = {"bits": 1, "num_classes": 2}
label = torch.ones(len(t), dtype=torch.int64)
curves = {
    "RBC (z in units of S, loss over S²)": RBC(S=350, **one).loss(350 * t[:, None], label) / 350**2,
    "DeepBE, hinge": DeepBE(loss_form="hinge", **one).loss(t[:, None], label),
    "DeepBE, squared error": DeepBE(loss_form="mse", **one).loss(t[:, None], label),
}
lines({name: (t.tolist(), loss.tolist()) for name, loss in curves.items()}, x="z", y="loss", markers=False)

# %% tags=["check"]
flat, hinge, square = curves.values()
assert bool((flat[t >= 1.001] == 0).all() and (flat[t < 0.999] > 0).all()), "RBC: exactly 0 from S on."  # ✓5
assert bool((hinge[t > 0.501] == 0).all()), "DeepBE's hinge: exactly 0 as soon as the bit is correct."  # ✓5
assert float(square[-1]) > float(square[t.sub(1.5).abs().argmin()]) > 0, (  # ✓5 ✓6
    "The squared error grows beyond 1, too.")
assert int((square < 1e-9).sum()) == 1, "The squared error: 0 at 1 alone."  # ✓5

# %% [markdown]
# <details><summary>What you should see</summary>
#
# RBC's loss is 0 from S on, DeepBE's hinge loss is 0 from 0.5 on, and the squared error is 0 at a single point [✓5].
# Where a curve is flat at 0, training has reached its goal, and an attack that climbs the loss has nothing to climb.
# The squared error is odd in another way: at z = 3 the bit is correct by a wide margin, and yet the loss is large [✓6].
# </details>
#
# ## 6 · Where is there no gradient?
#
# Now let autograd answer. We take outputs that are *correct with room to spare*, and compute the gradient of each loss
# there.
#
# **Predict.** Which of these losses has a gradient of exactly 0 there: cross-entropy (TRA), RBC, DeepBE hinge,
# DeepBE squared error, INT?

# %%
guess = []  # names of the losses without a gradient

# %%
five = torch.tensor([5])  # the label: 0101
bits = torch.tensor([[-1.0, 1.0, -1.0, 1.0]])
right = {
    "TRA": (TRA(), 20 * torch.nn.functional.one_hot(five, 10).float()),
    "RBC": (RBC(S=350), 400 * bits),
    "DeepBE hinge": (DeepBE(), 0.5 + 2 * bits),
    "DeepBE squared": (DeepBE(loss_form="mse"), 0.5 + 2 * bits),
    "INT": (INT(), torch.tensor([[5 * 20.0 + 8.0]])),  # in the middle of the interval from 100 to 116
}
steepest = {}
for name, (task, z) in right.items():
    leaf = z.clone().requires_grad_()
    steepest[name] = float(torch.autograd.grad(task.loss(leaf, five).sum(), leaf)[0].abs().max())
steepest

# %% tags=["check"]
flat = [name for name, slope in steepest.items() if slope == 0]
print("you said", guess, "and it is exactly 0 for", flat)
assert flat == ["RBC", "DeepBE hinge", "INT"] and 0 < steepest["TRA"] < 1e-6  # ✓7
assert all(int(task.codec.decode(z)) == 5 for task, z in right.values()), "All these outputs are read as 5."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# For RBC, DeepBE's hinge and INT the gradient is *exactly* 0 [✓7]. TRA's gradient is tiny, but not 0 [✓7], so its sign
# still points uphill, and FGSM and PGD use nothing but the sign. (In 32-bit numbers the gradient of cross-entropy
# vanishes as well, but only from a margin of about 104 on.) Remember this result for notebook 08.
# </details>

# %% [markdown]
# ## Exercise 1 · RBC's loss in one line (5 minutes)
#
# Equation 3 of the paper: $\mathcal{L} = \lVert \mathrm{relu}(S \cdot \mathbf{1} - z \odot (2b - 1)) \rVert_2^2$.
# Write it for outputs `z` and bits `b`, both of shape `(N, 4)`. Return one loss for each example, shape `(N,)`.
#
# *Hint.* Read the formula from the inside to the outside. `torch.relu` works on every element; a sum can have a `dim`.

# %% tags=["exercise"]
def rbc_loss(z, b, S):
    return torch.full((len(z),), float("nan"))  # replace this line


# %% tags=["solution"]
def rbc_loss(z, b, S):
    return torch.relu(S - z * (2 * b - 1)).square().sum(dim=1)


# %% tags=["check"]
z = 300 * torch.randn(50, 4, generator=generator)
labels = torch.randint(10, (50,), generator=generator)
mine, theirs = rbc_loss(z, rbc.codec.encode(labels), S=350), rbc.loss(z, labels)
assert mine.shape == (50,), f"Exercise 1: expected one loss for each example, (50,), got {tuple(mine.shape)}."
assert not mine.isnan().any(), "Exercise 1: replace the line that returns nan."
assert torch.allclose(mine, theirs, rtol=1e-4), (
    "Exercise 1: these are not the values of equation 3 yet. Which sign should z have at a bit that is 0? And is the "
    "norm squared?")

# %% [markdown]
# ## Exercise 2 · Decode by hand (8 minutes)
#
# Write RBC's decoder without tasklab: from one row of four outputs to a label from 0 to 9, or −1 for None.
#
# *Hint.* Which bits are 1, and what is each of them worth? Not every number that four bits can spell is a class.

# %% tags=["exercise"]
def decode(row):
    return 0  # replace this line; row is a list of four numbers


# %% tags=["solution"]
def decode(row):
    number = sum(value for value, out in zip((8, 4, 2, 1), row, strict=True) if out > 0)
    return number if number <= 9 else -1


# %% tags=["check"]
z = torch.cat([torch.randn(196, 4, generator=generator), torch.zeros(1, 4), torch.eye(4)[:3]])  # some exact zeros
mine, theirs = [decode(row) for row in z.tolist()], rbc.codec.decode(z).tolist()
wrong = [index for index in range(200) if mine[index] != theirs[index]]
assert not wrong, (f"Exercise 2: {len(wrong)} of 200 rows differ, such as {z[wrong[0]].tolist()}: "
                   f"you decode it to {mine[wrong[0]]}, tasklab to {theirs[wrong[0]]}. (−1 is None; an output of "
                   "exactly 0 is a 0.)")

# %% [markdown]
# ## Exercise 3 · A Gray code (8 minutes)
#
# In plain binary, 3 is `0011` and 4 is `0100`: three bits differ, although the classes are neighbours. In a Gray code,
# neighbours differ in one bit. For both codes, count how many bits change *in total* on the way 0 → 1 → 2 → … → 9.
#
# *Hint.* `RBC(code="gray").codec.matrix` is a `(10, 4)` tensor of bits, one row for each class.

# %% tags=["exercise"]
changes = {"binary": None, "gray": None}  # replace both None

# %% tags=["solution"]
changes = {}
for code in ("binary", "gray"):
    rows = RBC(code=code).codec.matrix
    changes[code] = int((rows[1:] != rows[:-1]).sum())
changes

# %% tags=["check"]
assert None not in changes.values(), "Exercise 3: set changes['binary'] and changes['gray']."
assert changes["gray"] == 9, "Exercise 3: in a Gray code each of the nine steps changes exactly one bit."
assert changes["binary"] == 16, "Exercise 3: count all the bits that differ between neighbouring rows of the matrix."

# %% [markdown]
# ## The same in the app
#
# Drag an output marker through a gap on the page "Codecs", and read what it decodes to.

# %%
print(Scenario(data=DATA).link("codecs"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. Why is the margin of a class for RBC the *minimum* over its bits, and not their sum?
# 2. INT's output for an 8 is 165 (α = 4, β = 16, s₀ = 0). What is its margin, and which answer is nearest on the line?
# 3. Can an image have zero training loss and still lie very close to one that is misclassified?
# 4. Which code would you choose for classes with no natural order, and why?
#
# <details><summary>Answers</summary>
#
# 1. All bits must be correct. One wrong bit is enough to change the answer.
# 2. Class 8 owns [160, 176], so the margin is 5. Below 160 there is a gap: the nearest other answer is None.
# 3. Yes. The loss measures distances between *outputs*. How fast outputs change with the image is another matter.
# 4. There is no single correct answer. If codewords are far apart, several bits have to be wrong at once: see notebook
#    11.
# </details>
#
# ## Further reading
#
# - [@han2020] Equations 1 to 3 and the section on RBC.
# - [@dietterich1995]
# - [@li2016]
