namespace Nano;

/// <summary>
/// The chat templates that come with Nano, as Jinja; what they print is what the templates of the
/// models' publishers print.
/// </summary>
internal static class BuiltInTemplates
{
    /// <summary>By name.</summary>
    public static IReadOnlyDictionary<string, string> All { get; } =
        new OrderedDictionary<string, string>(StringComparer.Ordinal)
        {
            // Qwen, SmolLM2, OpenHermes and many others.
            ["chatml"] = """
            {%- for turn in messages %}
                {{- '<|im_start|>' ~ turn.role ~ '\n' ~ turn.content ~ '<|im_end|>\n' }}
            {%- endfor %}
            {%- if add_generation_prompt %}
                {{- '<|im_start|>assistant\n' }}
            {%- endif %}
            """,

            // Llama-2-chat. The system text stands inside the first user's turn.
            ["llama-2"] = """
            {%- set space = namespace(system='') %}
            {%- if messages and messages[0].role == 'system' %}
                {%- set space.system = '<<SYS>>\n' ~ messages[0].content ~ '\n<</SYS>>\n\n' %}
                {%- set messages = messages[1:] %}
            {%- endif %}
            {%- for turn in messages %}
                {%- if turn.role != ('user' if loop.index0 is even else 'assistant') %}
                    {{- raise_exception('user and assistant must take turns, beginning with the user; '
                        ~ 'a system message can only stand first') }}
                {%- elif turn.role == 'user' %}
                    {{- bos_token ~ '[INST] ' ~ (space.system ~ turn.content) | trim ~ ' [/INST]' }}
                    {%- set space.system = '' %}
                {%- else %}
                    {{- ' ' ~ turn.content | trim ~ ' ' ~ eos_token }}
                {%- endif %}
            {%- endfor %}
            """,

            // Llama-3-Instruct.
            ["llama-3"] = """
            {{- bos_token }}
            {%- for turn in messages %}
                {{- '<|start_header_id|>' ~ turn.role ~ '<|end_header_id|>\n\n' ~ turn.content | trim ~ '<|eot_id|>' }}
            {%- endfor %}
            {%- if add_generation_prompt %}
                {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
            {%- endif %}
            """,

            // Mistral-7B-Instruct-v0.3; the system text stands before the last user's turn.
            ["mistral"] = """
            {%- set system = '' %}
            {%- if messages and messages[0].role == 'system' %}
                {%- set system = messages[0].content ~ '\n\n' %}
                {%- set messages = messages[1:] %}
            {%- endif %}
            {{- bos_token }}
            {%- for turn in messages %}
                {%- if turn.role != ('user' if loop.index0 is even else 'assistant') %}
                    {{- raise_exception('user and assistant must take turns, beginning with the user; '
                        ~ 'a system message can only stand first') }}
                {%- elif turn.role == 'user' %}
                    {{- '[INST] ' ~ (system if loop.last else '') ~ turn.content ~ '[/INST]' }}
                {%- else %}
                    {{- ' ' ~ turn.content | trim ~ eos_token }}
                {%- endif %}
            {%- endfor %}
            """,

            // Stanford Alpaca, whose preamble gives way to a system message.
            ["alpaca"] = """
            {%- if not messages or messages[0].role != 'system' %}
                {{- 'Below is an instruction that describes a task. '
                    ~ 'Write a response that appropriately completes the request.\n\n' }}
            {%- endif %}
            {%- for turn in messages %}
                {%- if turn.role == 'system' %}
                    {{- turn.content ~ '\n\n' }}
                {%- elif turn.role == 'user' %}
                    {{- '### Instruction:\n' ~ turn.content ~ '\n\n' }}
                {%- elif turn.role == 'assistant' %}
                    {{- '### Response:\n' ~ turn.content ~ '\n\n' }}
                {%- else %}
                    {{- raise_exception('the roles are system, user and assistant') }}
                {%- endif %}
            {%- endfor %}
            {%- if add_generation_prompt %}
                {{- '### Response:\n' }}
            {%- endif %}
            """,
        };
}
