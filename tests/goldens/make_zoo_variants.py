"""Golden values of variants that the folders beside it do not show, in the form of those folders.

python3 make_zoo_variants.py FOLDER_OF_MAKE_ZOO TARGET

FOLDER_OF_MAKE_ZOO holds the program that made the others, make_zoo.py: its models, other configurations.
"""
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import make_zoo as zoo  # noqa: E402

SEED = "variants"
FALCON = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 6, "num_kv_heads": 2, "multi_query": True, "new_decoder_architecture": True, "parallel_attn": True, "bias": False,
          "alibi": False, "vocab_size": 41, "layer_norm_epsilon": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True}
MPT = {"d_model": 24, "n_layers": 2, "n_heads": 3, "expansion_ratio": 4, "max_seq_len": 64, "vocab_size": 41, "no_bias": True, "attn_config": {"alibi": True}}
COHERE = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 40, "vocab_size": 41, "layer_norm_eps": 1e-5, "rope_theta": 10000.0,
          "logit_scale": 0.25, "max_position_embeddings": 64, "hidden_act": "silu", "attention_bias": False, "use_qk_norm": False, "tie_word_embeddings": True}
VARIANTS = {
    "falcon_40b": zoo.base("FalconForCausalLM", "falcon", **FALCON),
    "mpt": zoo.base("MptForCausalLM", "mpt", **MPT),
    "cohere": zoo.base("CohereForCausalLM", "cohere", **COHERE),
    "gpt_neox_sequential": zoo.neox_cfg(2, 24, 3, 40, 41, 0.5, False),
}
for name, config in VARIANTS.items():
    zoo.make_decoder(sys.argv[2], name, config, SEED, 2, 13, zoo.HYPER)
