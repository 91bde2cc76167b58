# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 5 · Feature maps: what a network sees, on a plane
#
# **After this notebook you can**
#
# - draw a map of a network's features with PCA and with t-SNE, and say what each keeps;
# - measure how good a map is, instead of liking it;
# - place attacked images into the map, and read what happened to them.
#
# | time | you need | runs in |
# | --- | --- | --- |
# | 35 minutes | notebooks 00 and 03 | about 15 seconds, 10 with `FAST` |

# %% tags=["parameters"]
FAST = False  # True: fewer images, for a quick look
SEED = 0  # of everything random
DATA = "digits"  # or "mnist", once `tasklab data mnist` has brought it

# %%
from tasklab import PGD, attack, load, load_data
from tasklab.embedding import PCA, TSNE, embed, neighbour_accuracy, read_features
from tasklab.figures.maps import Landed, feature_map
from tasklab.models.fast import PLAIN
from tasklab.scenario import Scenario

EPS = 0.2
test = load_data(DATA, "test").subset(200 if FAST else 400)
x, y = test.x(), test.labels  # (N, 1, H, W) in [0, 1], and (N,)
rbc = load(f"{DATA}-rbc")
features = read_features(rbc, x)  # (N, D): the numbers just before the last layer
print(features.shape)

# %% [markdown]
# ## 1 · Two maps of the same numbers
#
# PCA lays the plane along the two directions in which the features spread most. t-SNE gives up distances, and only
# tries to keep each image's *neighbours* near it.
#
# **Predict.** Ten images are nearest to a given one on the map. In which map do more of them show the same digit?

# %%
flat = embed(features, PCA())
feature_map(flat.positions, y, test.classes)

# %%
grouped = embed(features, TSNE(seed=SEED, iterations=250 if FAST else 500))
feature_map(grouped.positions, y, test.classes)

# %%
quality = {"PCA": neighbour_accuracy(flat.positions, y), "t-SNE": neighbour_accuracy(grouped.positions, y)}
print({name: f"{share:.0%} of the images are told by their neighbours on the map" for name, share in quality.items()})

# %% tags=["check"]
assert quality["t-SNE"] > 0.85, "t-SNE keeps neighbours: the map alone nearly tells the digit."
assert quality["t-SNE"] > quality["PCA"], "A plane has no room for all the distances; t-SNE does not try to keep them."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# PCA overlaps digits that are far apart in other directions. t-SNE draws ten islands. How large an island is, and how
# far it lies from another one, means nothing.
# </details>
#
# ## 2 · Attacked images in the same map
#
# `place` puts new images into a map without moving the old ones.
#
# **Predict.** Where do images land that an attack on the decision has broken? Among their own digit, or elsewhere?

# %%
def landed(objective):
    settings = PGD(eps=EPS, steps=10, random_start=False, keep="best", objective=objective, plan=PLAIN, seed=SEED)
    result = attack(rbc, x[:40], y[:40], settings)
    return result, grouped.place(read_features(rbc, result.images))


aimed, places = landed("margin")
feature_map(grouped.positions, y, test.classes, landed=Landed(rows=range(40), positions=places, decoded=aimed.decoded))

# %% tags=["check"]
assert aimed.share(aimed.fooled) > 0.5, "Most of the forty are broken."
distance = ((places - grouped.positions[:40]) ** 2).sum(axis=1) ** 0.5
spread = grouped.positions.std()
assert (distance[aimed.fooled.numpy()] > 0.5 * spread).mean() > 0.3, "Many broken images have left their island."

# %% [markdown]
# <details><summary>What you should see</summary>
#
# Broken images jump to other islands, or between them: to the network's eye they *are* other digits, though to yours
# they have hardly changed.
# </details>
#
# ## Exercise 1 · The attack that does nothing (5 minutes)
#
# Do the same with the attack on the training loss. Which share of the forty images has *not moved a single pixel*? Put
# it into `still`, a number from 0 to 1.
#
# *Hint.* `landed("train")` returns a result and places; the result has `.unmoved`, one boolean for each image.

# %% tags=["exercise"]
still = None  # a number from 0 to 1

# %% tags=["solution"]
own, own_places = landed("train")
still = float(own.unmoved.float().mean())

# %% tags=["check"]
assert still is not None, "Exercise 1: still is to be filled in."
assert 0.3 < still <= 1, "Exercise 1: RBC's loss has no gradient for many images. Did you aim at train?"
print(f"{still:.0%} of the images are where they were, on the map and pixel by pixel")

# %% [markdown]
# ## Exercise 2 · Fewer neighbours (8 minutes)
#
# Perplexity is how many neighbours count. Draw the map with `perplexity=5`, call it `small`, and compare its
# neighbour accuracy with that of 30. How different do the islands look, and how different is the number?

# %% tags=["exercise"]
small = None

# %% tags=["solution"]
small = embed(features, TSNE(perplexity=5, seed=SEED, iterations=250 if FAST else 500))

# %% tags=["check"]
assert small is not None, "Exercise 2: embed(features, TSNE(perplexity=...)) makes a map."
assert small.settings.perplexity == 5, "Exercise 2: the perplexity should be 5."
share = neighbour_accuracy(small.positions, y)
print(f"perplexity 5: {share:.0%}, perplexity 30: {quality['t-SNE']:.0%}")
assert share > 0.8, "Exercise 2: the neighbours should still tell the digit."

# %%
feature_map(embed(features, PCA()).positions if small is None else small.positions, y, test.classes)

# %% [markdown]
# ## The same in the app
#
# There the map forms before your eyes, a lasso shows the images, and a click opens one in the attack lab.

# %%
print(Scenario(data=DATA, systems=(f"{DATA}-rbc", f"{DATA}-tra"), eps=EPS, n=len(test)).link("feature_map"))

# %% [markdown]
# ## Questions (5 minutes)
#
# 1. Two islands of a t-SNE map lie far apart. What follows for the features?
# 2. Why do the stops of one attack jump on a t-SNE map, though each step is small?
# 3. A map shows ten clean islands. Is the network hard to attack?
#
# <details><summary>Answers</summary>
#
# 1. Nothing about their distance; only that they are no neighbours.
# 2. A point is drawn among its nearest neighbours, and these change all at once when a boundary is crossed.
# 3. The map shows test images, not what lies within ε of them. You have just seen the broken ones land elsewhere.
# </details>
#
# ## Further reading
#
# - van der Maaten, Hinton (2008): *Visualizing Data using t-SNE*. JMLR 9, 2579–2605.
# - Wattenberg, Viégas, Johnson (2016): *How to Use t-SNE Effectively*. Distill.
