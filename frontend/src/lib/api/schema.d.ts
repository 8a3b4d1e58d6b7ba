// Made of openapi.json by `npm run types`.

export interface paths {
    "/v1/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Files
         * @description The files, newest first.
         */
        get: operations["list_files_v1_files_get"];
        put?: never;
        /**
         * Upload
         * @description Upload rows, JSON Lines; the same name and content again is the same file.
         */
        post: operations["upload_v1_files_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/files/{file_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Retrieve
         * @description One file's facts.
         */
        get: operations["retrieve_v1_files__file_id__get"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Delete a file.
         */
        delete: operations["delete_v1_files__file_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/files/{file_id}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Content
         * @description The file as it came.
         */
        get: operations["content_v1_files__file_id__content_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/files/{file_id}/url": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Url
         * @description Where the content is; fetching it takes the key, as everything here does.
         */
        get: operations["url_v1_files__file_id__url_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/fine_tuning/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Jobs
         * @description The jobs, newest first.
         */
        get: operations["list_jobs_v1_fine_tuning_jobs_get"];
        put?: never;
        /**
         * Create
         * @description Make a job, or with `dry_run` only say what it would do.
         */
        post: operations["create_v1_fine_tuning_jobs_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/fine_tuning/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get
         * @description One job, with its events and checkpoints.
         */
        get: operations["get_v1_fine_tuning_jobs__job_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/fine_tuning/jobs/{job_id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start
         * @description Let a job run that was made with `auto_start` false.
         */
        post: operations["start_v1_fine_tuning_jobs__job_id__start_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/fine_tuning/jobs/{job_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel
         * @description Stop a job; a running one saves a checkpoint first.
         */
        post: operations["cancel_v1_fine_tuning_jobs__job_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/jobs/{job_id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume
         * @description Let a job go on that was cancelled or failed: from its newest checkpoint, or from the beginning.
         */
        post: operations["resume_api_jobs__job_id__resume_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/evaluations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Evaluations
         * @description The evaluations, newest first.
         */
        get: operations["list_evaluations_api_evaluations_get"];
        put?: never;
        /**
         * Create
         * @description Evaluate a model on an uploaded file, greedily.
         */
        post: operations["create_api_evaluations_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/evaluations/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get
         * @description One evaluation, with its figures once it has succeeded.
         */
        get: operations["get_api_evaluations__job_id__get"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Delete an evaluation that has ended, with all that it left.
         */
        delete: operations["delete_api_evaluations__job_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/evaluations/{job_id}/rows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Rows
         * @description Every row with the model's answer and what it scored, in the order of the file.
         */
        get: operations["rows_api_evaluations__job_id__rows_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/evaluations/{job_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel
         * @description Stop an evaluation; nothing of it is kept.
         */
        post: operations["cancel_api_evaluations__job_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/comparisons": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Comparisons
         * @description The comparisons, newest first.
         */
        get: operations["list_comparisons_api_comparisons_get"];
        put?: never;
        /**
         * Create
         * @description Put two models side by side; the base is held in memory as the fine-tuned model is.
         */
        post: operations["create_api_comparisons_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/comparisons/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get
         * @description One comparison, with its figures once it has succeeded.
         */
        get: operations["get_api_comparisons__job_id__get"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Delete a comparison that has ended, with all that it left.
         */
        delete: operations["delete_api_comparisons__job_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/comparisons/{job_id}/rows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Rows
         * @description Every row with both answers, what changed most first; `outcome` picks wins, ties or losses.
         */
        get: operations["rows_api_comparisons__job_id__rows_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/comparisons/{job_id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Report
         * @description The comparison as one HTML file that needs nothing else.
         */
        get: operations["report_api_comparisons__job_id__report_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/comparisons/{job_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel
         * @description Stop a comparison.
         */
        post: operations["cancel_api_comparisons__job_id__cancel_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Models
         * @description All models.
         */
        get: operations["list_models_v1_models_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get
         * @description One model.
         */
        get: operations["get_v1_models__model_id__get"];
        put?: never;
        post?: never;
        /**
         * Delete
         * @description Serve a fine-tuned model no longer; its run directory stays where it is.
         */
        delete: operations["delete_v1_models__model_id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/fine_tuning/models/{model_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Update
         * @description Name and describe a fine-tuned model.
         */
        patch: operations["update_v1_fine_tuning_models__model_id__patch"];
        trace?: never;
    };
    "/v1/fine_tuning/models/{model_id}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Archive
         * @description Keep a model from being asked.
         */
        post: operations["archive_v1_fine_tuning_models__model_id__archive_post"];
        /**
         * Unarchive
         * @description Let it be asked again.
         */
        delete: operations["unarchive_v1_fine_tuning_models__model_id__archive_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/chat/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Complete
         * @description The model's answer; with `stream`, as server-sent events.
         */
        post: operations["complete_v1_chat_completions_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics
         * @description Figures in Prometheus' text format.
         */
        get: operations["metrics_metrics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Sign In
         * @description Open a link: sign this browser in, and go to the console.
         */
        get: operations["sign_in_sign_in_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sign-out": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign Out
         * @description Sign this browser out.
         */
        post: operations["sign_out_sign_out_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Report
         * @description What a check finds in a file, line by line, and what to do about it.
         */
        get: operations["report_api_files__file_id__report_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/statistics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Statistics
         * @description Rows, duplicates, tokens and their lengths, as a model counts them.
         */
        get: operations["statistics_api_files__file_id__statistics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/near-duplicates": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Near Duplicates
         * @description Rows that say nearly what an earlier row says, each with the one most like it.
         */
        get: operations["near_duplicates_api_files__file_id__near_duplicates_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/rows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Rows
         * @description Some rows as messages; with a model, also as the text that it reads, cut where training begins and ends.
         */
        get: operations["rows_api_files__file_id__rows_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/uses": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Uses
         * @description The jobs that were made with a file.
         */
        get: operations["uses_api_files__file_id__uses_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/split": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Split
         * @description Divide a file into new files for training, validation and test.
         */
        post: operations["split_api_files__file_id__split_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/convert": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Convert
         * @description Make a new file with the same rows in another format.
         */
        post: operations["convert_api_files__file_id__convert_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/files/{file_id}/fields": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Fields
         * @description The fields by which an evaluation or a comparison can group a file's rows.
         */
        get: operations["fields_api_files__file_id__fields_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List All
         * @description The runs of the server's jobs and of the folders that it was told of, newest first.
         */
        get: operations["list_all_api_runs_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/runs/{run_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get
         * @description One run: configuration, metadata, figures, evaluations, files.
         */
        get: operations["get_api_runs__run_id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/runs/{run_id}/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics
         * @description Losses, learning rate and speed by step, those behind `after_step`, thinned to `max_points` steps.
         */
        get: operations["metrics_api_runs__run_id__metrics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/runs/{run_id}/file": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * File
         * @description One of the run's files, to keep.
         */
        get: operations["file_api_runs__run_id__file_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/server": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get
         * @description Version, limits, device, memory and models.
         */
        get: operations["get_api_server_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Docs
         * @description This page.
         */
        get: operations["docs_docs_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Healthz
         * @description Whether the server is up; takes no key.
         */
        get: operations["healthz_healthz_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AssistantReply
         * @description The assistant's message.
         */
        AssistantReply: {
            /**
             * Role
             * @constant
             */
            role: "assistant";
            /** Content */
            content: string;
            /** Tool Calls */
            tool_calls?: components["schemas"]["ToolCallReply"][];
        };
        /**
         * BinReply
         * @description One bar of a histogram: sequences of `low` to `high` tokens.
         */
        BinReply: {
            /** Low */
            low: number;
            /** High */
            high: number;
            /** Count */
            count: number;
        };
        /**
         * CalledFunction
         * @description What a tool call calls; `arguments` is JSON.
         */
        CalledFunction: {
            /** Name */
            name: string;
            /** Arguments */
            arguments: string;
        };
        /**
         * Capabilities
         * @description What a model can be asked for.
         */
        Capabilities: {
            /** Completion Chat */
            completion_chat: boolean;
            /** Completion Fim */
            completion_fim: boolean;
            /** Function Calling */
            function_calling: boolean;
            /** Fine Tuning */
            fine_tuning: boolean;
            /** Classification */
            classification: boolean;
            /** Vision */
            vision: boolean;
        };
        /**
         * ChatMessage
         * @description One message of the prompt.
         */
        ChatMessage: {
            /**
             * Role
             * @enum {string}
             */
            role: "system" | "user" | "assistant" | "tool";
            /**
             * Content
             * @default
             */
            content?: string | components["schemas"]["Chunk"][];
            /**
             * Tool Calls
             * @default []
             */
            tool_calls?: components["schemas"]["ToolCall"][];
            /** Tool Call Id */
            tool_call_id?: string | null;
            /** Name */
            name?: string | null;
            /**
             * Prefix
             * @description Answers that go on from a given beginning are not supported.
             * @default false
             */
            prefix?: boolean;
        };
        /**
         * ChatPiece
         * @description What one server-sent event of streamed answers holds; the last has the usage.
         */
        ChatPiece: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "chat.completion.chunk";
            /** Created */
            created: number;
            /** Model */
            model: string;
            /** Choices */
            choices: components["schemas"]["ChoicePiece"][];
            usage?: components["schemas"]["Usage"];
        };
        /**
         * ChatReply
         * @description Whole answers.
         */
        ChatReply: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "chat.completion";
            /** Created */
            created: number;
            /** Model */
            model: string;
            /** Choices */
            choices: components["schemas"]["Choice"][];
            usage: components["schemas"]["Usage"];
        };
        /**
         * ChatRequest
         * @description A chat completion, as `POST /v1/chat/completions` takes it; what cannot be honoured is refused.
         */
        ChatRequest: {
            /** Model */
            model: string;
            /** Messages */
            messages: components["schemas"]["ChatMessage"][];
            /**
             * Temperature
             * @description 0, or left out, is greedy decoding: the same question gets the same answer.
             * @default 0
             */
            temperature?: number;
            /**
             * Top P
             * @default 1
             */
            top_p?: number;
            /** Max Tokens */
            max_tokens?: number | null;
            /** Max Completion Tokens */
            max_completion_tokens?: number | null;
            /** Random Seed */
            random_seed?: number | null;
            /** Seed */
            seed?: number | null;
            /**
             * Stream
             * @default false
             */
            stream?: boolean;
            stream_options?: components["schemas"]["StreamOptions"] | null;
            /**
             * Tools
             * @default []
             */
            tools?: {
                [key: string]: unknown;
            }[];
            /**
             * Tool Choice
             * @default auto
             * @enum {string}
             */
            tool_choice?: "auto" | "none";
            /**
             * Parallel Tool Calls
             * @default true
             */
            parallel_tool_calls?: boolean;
            /**
             * @default {
             *       "type": "text"
             *     }
             */
            response_format?: components["schemas"]["ResponseFormat"];
            /**
             * Stop
             * @description The answer ends before the first of these texts.
             * @default []
             */
            stop?: string | string[];
            /**
             * N
             * @description So many answers; all are equal where the temperature is 0.
             * @default 1
             */
            n?: number;
            /**
             * Safe Prompt
             * @default false
             */
            safe_prompt?: boolean;
            /**
             * Presence Penalty
             * @default 0
             */
            presence_penalty?: number;
            /**
             * Frequency Penalty
             * @default 0
             */
            frequency_penalty?: number;
            /**
             * Logprobs
             * @default false
             */
            logprobs?: boolean;
            /** User */
            user?: string | null;
            /** Metadata */
            metadata?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * CheckpointMetrics
         * @description The figures of a step; null where it has none.
         */
        CheckpointMetrics: {
            /** Train Loss */
            train_loss: number | null;
            /** Valid Loss */
            valid_loss: number | null;
            /** Valid Mean Token Accuracy */
            valid_mean_token_accuracy: number | null;
        };
        /**
         * CheckpointReply
         * @description A logged or validated step.
         */
        CheckpointReply: {
            metrics: components["schemas"]["CheckpointMetrics"];
            /** Step Number */
            step_number: number;
            /** Created At */
            created_at: number;
        };
        /**
         * Choice
         * @description One of the answers.
         */
        Choice: {
            /** Index */
            index: number;
            message: components["schemas"]["AssistantReply"];
            /** Finish Reason */
            finish_reason: string;
        };
        /**
         * ChoicePiece
         * @description A piece of one of the answers; its last has a reason.
         */
        ChoicePiece: {
            /** Index */
            index: number;
            delta: components["schemas"]["Delta"];
            /** Finish Reason */
            finish_reason: string | null;
        };
        /**
         * Chunk
         * @description A piece of a message's text.
         */
        Chunk: {
            /**
             * Type
             * @default text
             * @constant
             */
            type?: "text";
            /** Text */
            text: string;
        };
        /**
         * ComparisonFigures
         * @description Two models' figures on the same file.
         */
        ComparisonFigures: {
            base: components["schemas"]["EvaluationFigures"];
            fine_tuned: components["schemas"]["EvaluationFigures"];
            /**
             * Differences
             * @description Metric to fine-tuned minus base, paired over the rows.
             */
            differences: {
                [key: string]: components["schemas"]["Difference"];
            };
            /**
             * Wins
             * @description Rows that the fine-tuned model answers better.
             */
            wins: number;
            /** Ties */
            ties: number;
            /** Losses */
            losses: number;
            /**
             * Slices
             * @description The same on groups of rows, for each field of `by`.
             */
            slices?: components["schemas"]["SliceComparison"][];
        };
        /**
         * ComparisonList
         * @description Comparisons, newest first.
         */
        ComparisonList: {
            /**
             * Object
             * @default list
             * @constant
             */
            object?: "list";
            /** Data */
            data: components["schemas"]["ComparisonReply"][];
            /** Total */
            total: number;
        };
        /**
         * ComparisonReply
         * @description A comparison of two models, on a file or on prompts.
         */
        ComparisonReply: {
            /** Id */
            id: string;
            status: components["schemas"]["Status"];
            /**
             * Created At
             * @description Seconds since 1970.
             */
            created_at: number;
            /** Modified At */
            modified_at: number;
            /** @description Null before the work has begun, and once it has ended. */
            progress: components["schemas"]["Progress"] | null;
            /**
             * Error
             * @description Why it failed.
             */
            error: string | null;
            /** @description The rows that are in a model's training data, where it failed for them: `allow_overlap` would allow it. */
            refused_overlap: components["schemas"]["Overlap"] | null;
            /** Max New Tokens */
            max_new_tokens: number;
            /** Limit */
            limit: number | null;
            /** Evaluator */
            evaluator: string;
            /**
             * Metrics
             * @description As they were asked for; none means `exact_match` and `f1`.
             */
            metrics: ("exact_match" | "f1" | "rouge_l" | "chrf" | "bleu" | "json_valid" | "edit_similarity")[];
            /**
             * Language
             * @enum {string}
             */
            language: "de" | "en" | "es" | "fr" | "it" | "nl" | "pt";
            /**
             * Turns
             * @enum {string}
             */
            turns: "last" | "all";
            /** By */
            by: string[];
            /** Allow Overlap */
            allow_overlap: boolean;
            /**
             * Object
             * @default comparison
             * @constant
             */
            object?: "comparison";
            /** Base Model */
            base_model: string;
            /** Fine Tuned Model */
            fine_tuned_model: string;
            /** File Id */
            file_id: string | null;
            /** Num Prompts */
            num_prompts: number;
            /** @description Null before it has succeeded, and where it is on prompts: those have no right answers. */
            figures: components["schemas"]["ComparisonFigures"] | null;
        };
        /**
         * ComparisonRequest
         * @description A comparison, as `POST /api/comparisons` takes it: on a file or on prompts.
         */
        ComparisonRequest: {
            /**
             * Max New Tokens
             * @description Longest answer, in tokens.
             * @default 256
             */
            max_new_tokens?: number;
            /**
             * Limit
             * @description Only the first rows of the file.
             */
            limit?: number | null;
            /**
             * Evaluator
             * @description Name of an installed evaluator.
             * @default text
             */
            evaluator?: string;
            /**
             * Metrics
             * @description Scores of a text, the most telling first; left out they are `exact_match` and `f1`.
             * @default []
             */
            metrics?: ("exact_match" | "f1" | "rouge_l" | "chrf" | "bleu" | "json_valid" | "edit_similarity")[];
            /**
             * Language
             * @description Whose articles do not count.
             * @default en
             * @enum {string}
             */
            language?: "de" | "en" | "es" | "fr" | "it" | "nl" | "pt";
            /**
             * Turns
             * @description Judge a conversation's last answer, or all, each with its own history.
             * @default last
             * @enum {string}
             */
            turns?: "last" | "all";
            /**
             * By
             * @description Fields of the rows: the figures are also told for each group of rows that have the same value there.
             * @default []
             */
            by?: string[];
            /**
             * Allow Overlap
             * @description Evaluate though rows stand, exactly or nearly, in the model's training data.
             * @default false
             */
            allow_overlap?: boolean;
            /** Base Model */
            base_model: string;
            /** Fine Tuned Model */
            fine_tuned_model: string;
            /**
             * File Id
             * @description An uploaded file whose rows end with the right answer.
             */
            file_id?: string | null;
            /**
             * Prompts
             * @description Questions without a right answer, put to both models.
             * @default []
             */
            prompts?: string[];
        };
        /**
         * ComparisonRow
         * @description A row with both models' answers.
         */
        ComparisonRow: {
            /**
             * Row
             * @description 1-based number in the file, or among the prompts.
             */
            row: number;
            /**
             * Turn
             * @description 1-based number of the answer in the row, where every answer of a conversation is judged.
             */
            turn: number | null;
            /**
             * Prompt
             * @description The messages that the models saw.
             */
            prompt: {
                [key: string]: unknown;
            }[];
            /**
             * References
             * @description Accepted answers.
             */
            references: string[];
            /** Reference Tool Calls */
            reference_tool_calls: components["schemas"]["ToolCallResult"][];
            base: components["schemas"]["ModelAnswer"];
            fine_tuned: components["schemas"]["ModelAnswer"];
            /**
             * Outcome
             * @description Whether the fine-tuned model answers better; null where there is no right answer.
             */
            outcome: ("win" | "tie" | "loss") | null;
        };
        /**
         * ComparisonRows
         * @description Rows of a comparison: those whose scores changed most first, losses before wins; prompts in their order.
         */
        ComparisonRows: {
            /**
             * Object
             * @default list
             * @constant
             */
            object?: "list";
            /** Data */
            data: components["schemas"]["ComparisonRow"][];
            /** Total */
            total: number;
        };
        /**
         * ConversionReply
         * @description The file that a conversion made.
         */
        ConversionReply: {
            file: components["schemas"]["FileReply"];
            /** Num Rows */
            num_rows: number;
            /** Num Tool Calls */
            num_tool_calls: number;
            /** Warnings */
            warnings: components["schemas"]["FindingReply"][];
        };
        /**
         * ConversionRequest
         * @description What to make of a file.
         */
        ConversionRequest: {
            /**
             * To
             * @enum {string}
             */
            to: "messages" | "instruct";
        };
        /**
         * Deleted
         * @description Something that is gone.
         */
        Deleted: {
            /** Id */
            id: string;
            /**
             * Object
             * @enum {string}
             */
            object: "evaluation" | "comparison";
            /**
             * Deleted
             * @default true
             * @constant
             */
            deleted?: true;
        };
        /**
         * Delta
         * @description A piece of the assistant's message.
         */
        Delta: {
            /**
             * Role
             * @constant
             */
            role?: "assistant";
            /** Content */
            content?: string;
            /** Tool Calls */
            tool_calls?: components["schemas"]["ToolCallReply"][];
        };
        /**
         * Detail
         * @description One problem of a request: its kind, where it is, what is wrong, and what to do where there is more to say.
         */
        Detail: {
            /** Type */
            type: string;
            /** Loc */
            loc: (string | number)[];
            /** Msg */
            msg: string;
            ctx?: components["schemas"]["Hint"];
        };
        /**
         * DeviceReply
         * @description What trains and answers; `is_busy` while a job has it. Where there is no GPU, the processor's name.
         */
        DeviceReply: {
            /** Name */
            name: string;
            /** Is Gpu */
            is_gpu: boolean;
            /** Is Busy */
            is_busy: boolean;
        };
        /**
         * Difference
         * @description Fine-tuned minus base, on the same rows.
         */
        Difference: {
            /** Value */
            value: number;
            interval: components["schemas"]["Interval"];
            /**
             * P Value
             * @description Of McNemar's exact test, two-sided, where both are shares of the same independent rows.
             */
            p_value?: number | null;
        };
        /**
         * DryRunReply
         * @description A plan and no job.
         */
        DryRunReply: {
            /** Expected Duration Seconds */
            expected_duration_seconds: number | null;
            /** Cost */
            cost: number | null;
            /** Cost Currency */
            cost_currency: string | null;
            /** Train Tokens Per Step */
            train_tokens_per_step: number | null;
            /** Train Tokens */
            train_tokens: number | null;
            /** Data Tokens */
            data_tokens: number | null;
            /** Estimated Start Time */
            estimated_start_time: number | null;
            /** Rows Per Step */
            rows_per_step: number | null;
            /** Num Rows */
            num_rows: number | null;
            /** Num Rows Left Out */
            num_rows_left_out: number | null;
            /** Memory Device */
            memory_device: ("gpu" | "cpu") | null;
            /** Memory Bytes */
            memory_bytes: number | null;
            /** Memory Free Bytes */
            memory_free_bytes: number | null;
            /** Disk Bytes */
            disk_bytes: number | null;
            /** Disk Free Bytes */
            disk_free_bytes: number | null;
            /**
             * Object
             * @constant
             */
            object: "job.metadata";
            /** Details */
            details: string;
            /** Deprecated */
            deprecated: boolean;
            /** Epochs */
            epochs: number;
            /** Training Steps */
            training_steps: number;
        };
        /**
         * EvaluationFigures
         * @description One model's figures on one file.
         */
        EvaluationFigures: {
            /** Evaluator */
            evaluator: string;
            /**
             * Eval Sha256
             * @description Hash of the file that was evaluated.
             */
            eval_sha256: string;
            /** Num Examples */
            num_examples: number;
            /**
             * Metrics
             * @description Means over the examples, and figures such as `tokens_per_second`.
             */
            metrics: {
                [key: string]: number;
            };
            /**
             * Intervals
             * @description 95 % intervals of the metrics that are means over examples.
             */
            intervals: {
                [key: string]: components["schemas"]["Interval"];
            };
            /**
             * Sampling
             * @description How the answers were generated.
             */
            sampling: {
                [key: string]: unknown;
            };
            /**
             * Options
             * @description How they were judged, where that is not the usual way: `metrics`, `language`, `turns`.
             */
            options?: {
                [key: string]: unknown;
            };
            /** @description What the rows share with the data that the model was trained on; null for a model that is no run. */
            overlap?: components["schemas"]["Overlap"] | null;
            /**
             * Slices
             * @description The same metrics on groups of rows, for each field of `by`.
             */
            slices?: components["schemas"]["Slice"][];
        };
        /**
         * EvaluationList
         * @description Evaluations, newest first.
         */
        EvaluationList: {
            /**
             * Object
             * @default list
             * @constant
             */
            object?: "list";
            /** Data */
            data: components["schemas"]["EvaluationReply"][];
            /** Total */
            total: number;
        };
        /**
         * EvaluationReply
         * @description An evaluation of one model on a file.
         */
        EvaluationReply: {
            /** Id */
            id: string;
            status: components["schemas"]["Status"];
            /**
             * Created At
             * @description Seconds since 1970.
             */
            created_at: number;
            /** Modified At */
            modified_at: number;
            /** @description Null before the work has begun, and once it has ended. */
            progress: components["schemas"]["Progress"] | null;
            /**
             * Error
             * @description Why it failed.
             */
            error: string | null;
            /** @description The rows that are in a model's training data, where it failed for them: `allow_overlap` would allow it. */
            refused_overlap: components["schemas"]["Overlap"] | null;
            /** Max New Tokens */
            max_new_tokens: number;
            /** Limit */
            limit: number | null;
            /** Evaluator */
            evaluator: string;
            /**
             * Metrics
             * @description As they were asked for; none means `exact_match` and `f1`.
             */
            metrics: ("exact_match" | "f1" | "rouge_l" | "chrf" | "bleu" | "json_valid" | "edit_similarity")[];
            /**
             * Language
             * @enum {string}
             */
            language: "de" | "en" | "es" | "fr" | "it" | "nl" | "pt";
            /**
             * Turns
             * @enum {string}
             */
            turns: "last" | "all";
            /** By */
            by: string[];
            /** Allow Overlap */
            allow_overlap: boolean;
            /**
             * Object
             * @default evaluation
             * @constant
             */
            object?: "evaluation";
            /** Model */
            model: string;
            /** File Id */
            file_id: string;
            /** @description Null before it has succeeded. */
            figures: components["schemas"]["EvaluationFigures"] | null;
        };
        /**
         * EvaluationRequest
         * @description An evaluation, as `POST /api/evaluations` takes it.
         */
        EvaluationRequest: {
            /**
             * Max New Tokens
             * @description Longest answer, in tokens.
             * @default 256
             */
            max_new_tokens?: number;
            /**
             * Limit
             * @description Only the first rows of the file.
             */
            limit?: number | null;
            /**
             * Evaluator
             * @description Name of an installed evaluator.
             * @default text
             */
            evaluator?: string;
            /**
             * Metrics
             * @description Scores of a text, the most telling first; left out they are `exact_match` and `f1`.
             * @default []
             */
            metrics?: ("exact_match" | "f1" | "rouge_l" | "chrf" | "bleu" | "json_valid" | "edit_similarity")[];
            /**
             * Language
             * @description Whose articles do not count.
             * @default en
             * @enum {string}
             */
            language?: "de" | "en" | "es" | "fr" | "it" | "nl" | "pt";
            /**
             * Turns
             * @description Judge a conversation's last answer, or all, each with its own history.
             * @default last
             * @enum {string}
             */
            turns?: "last" | "all";
            /**
             * By
             * @description Fields of the rows: the figures are also told for each group of rows that have the same value there.
             * @default []
             */
            by?: string[];
            /**
             * Allow Overlap
             * @description Evaluate though rows stand, exactly or nearly, in the model's training data.
             * @default false
             */
            allow_overlap?: boolean;
            /**
             * Model
             * @description A public name or an `ft:` name.
             */
            model: string;
            /**
             * File Id
             * @description An uploaded file whose rows end with the right answer.
             */
            file_id: string;
        };
        /**
         * EvaluationRow
         * @description A row with a model's answer.
         */
        EvaluationRow: {
            /**
             * Row
             * @description 1-based number in the file, or among the prompts.
             */
            row: number;
            /**
             * Turn
             * @description 1-based number of the answer in the row, where every answer of a conversation is judged.
             */
            turn: number | null;
            /**
             * Prompt
             * @description The messages that the models saw.
             */
            prompt: {
                [key: string]: unknown;
            }[];
            /**
             * References
             * @description Accepted answers.
             */
            references: string[];
            /** Reference Tool Calls */
            reference_tool_calls: components["schemas"]["ToolCallResult"][];
            answer: components["schemas"]["ModelAnswer"];
        };
        /**
         * EvaluationRows
         * @description Rows of an evaluation, in the order of the file.
         */
        EvaluationRows: {
            /**
             * Object
             * @default list
             * @constant
             */
            object?: "list";
            /** Data */
            data: components["schemas"]["EvaluationRow"][];
            /** Total */
            total: number;
        };
        /**
         * EventReply
         * @description Something that happened to a job.
         */
        EventReply: {
            /** Name */
            name: string;
            /** Created At */
            created_at: number;
            /** Data */
            data: {
                [key: string]: unknown;
            };
        };
        /**
         * FieldsReply
         * @description The fields by which the rows of a file can be grouped.
         */
        FieldsReply: {
            /** File Id */
            file_id: string;
            /** Num Rows */
            num_rows: number;
            /**
             * Fields
             * @description In the order of the rows; texts that differ from row to row make no groups, and are not among them.
             */
            fields: components["schemas"]["GroupingField"][];
        };
        /**
         * FileAddress
         * @description Where a file's content is.
         */
        FileAddress: {
            /** Url */
            url: string;
        };
        /**
         * FileDeleted
         * @description A file that is gone.
         */
        FileDeleted: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "file";
            /**
             * Deleted
             * @constant
             */
            deleted: true;
        };
        /**
         * FileList
         * @description Files, newest first.
         */
        FileList: {
            /**
             * Object
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["FileReply"][];
            /** Total */
            total: number | null;
        };
        /**
         * FileReply
         * @description A file as clients old and new read it.
         */
        FileReply: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "file";
            /** Bytes */
            bytes: number;
            /** Size Bytes */
            size_bytes: number;
            /** Created At */
            created_at: number;
            /** Filename */
            filename: string;
            /**
             * Purpose
             * @constant
             */
            purpose: "fine-tune";
            /**
             * Sample Type
             * @constant
             */
            sample_type: "instruct";
            /**
             * Source
             * @constant
             */
            source: "upload";
            /** Num Lines */
            num_lines: number;
            /** Mimetype */
            mimetype: string | null;
            /** Signature */
            signature: string;
            /**
             * Deleted
             * @constant
             */
            deleted: false;
        };
        /**
         * FileUse
         * @description A job that was made with a file; it has a copy of its own and loses nothing when the file is deleted.
         */
        FileUse: {
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "job" | "evaluation" | "comparison";
            status: components["schemas"]["Status"];
            /**
             * Role
             * @enum {string}
             */
            role: "training" | "validation" | "evaluation";
        };
        /**
         * FindingReply
         * @description One thing that a check found.
         */
        FindingReply: {
            /** Line */
            line: number;
            /** Rule */
            rule: string;
            /** Message */
            message: string;
            /** Hint */
            hint: string;
            /** Is Error */
            is_error: boolean;
        };
        /**
         * FunctionCall
         * @description What a tool call calls.
         */
        FunctionCall: {
            /** Name */
            name: string;
            /**
             * Arguments
             * @default {}
             */
            arguments?: string | {
                [key: string]: unknown;
            };
        };
        /**
         * GroupingField
         * @description A field of the rows of a file.
         */
        GroupingField: {
            /** Name */
            name: string;
            /**
             * Num Groups
             * @description Groups of rows that have the same value there.
             */
            num_groups: number;
        };
        /**
         * Hint
         * @description What to do about a problem.
         */
        Hint: {
            /** Hint */
            hint: string;
        };
        /**
         * Hyperparameters
         * @description How to train; both `training_steps` and `epochs` may be left out.
         */
        Hyperparameters: {
            /**
             * Training Steps
             * @description Optimizer steps; one is one batch.
             */
            training_steps?: number | null;
            /**
             * Learning Rate
             * @description Peak learning rate.
             * @default 0.0001
             */
            learning_rate?: number;
            /**
             * Weight Decay
             * @default 0.1
             */
            weight_decay?: number;
            /**
             * Warmup Fraction
             * @description Share of the steps in which the learning rate rises.
             * @default 0.05
             */
            warmup_fraction?: number;
            /**
             * Epochs
             * @description Passes over the training rows; `training_steps` decides where both are given.
             */
            epochs?: number | null;
            /**
             * Seq Len
             * @description Longest row in tokens.
             */
            seq_len?: number | null;
            /**
             * Fim Ratio
             * @description Of no effect: it concerns rows of bare code, and rows here are conversations.
             */
            fim_ratio?: number | null;
        };
        /**
         * HyperparametersReply
         * @description What was asked for; steps and epochs as they turn out, once the data is known.
         */
        HyperparametersReply: {
            /** Training Steps */
            training_steps: number | null;
            /** Learning Rate */
            learning_rate: number;
            /** Weight Decay */
            weight_decay: number;
            /** Warmup Fraction */
            warmup_fraction: number;
            /** Epochs */
            epochs: number | null;
            /** Seq Len */
            seq_len: number | null;
            /** Fim Ratio */
            fim_ratio: number | null;
        };
        /**
         * Integration
         * @description A tracker; named in replies, and never reported to.
         */
        Integration: {
            /**
             * Type
             * @default wandb
             * @constant
             */
            type?: "wandb";
            /** Project */
            project: string;
            /** Name */
            name?: string | null;
            /** Run Name */
            run_name?: string | null;
        };
        /**
         * IntegrationReply
         * @description A tracker; nothing is reported to it.
         */
        IntegrationReply: {
            /**
             * Type
             * @constant
             */
            type: "wandb";
            /** Project */
            project: string;
            /** Name */
            name: string | null;
            /** Run Name */
            run_name: string | null;
            /** Url */
            url: null;
        };
        /**
         * Interval
         * @description A 95 % confidence interval.
         */
        Interval: {
            /** Low */
            low: number;
            /** High */
            high: number;
        };
        /**
         * JobDetails
         * @description A job with its events and checkpoints, newest checkpoint first.
         */
        JobDetails: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "job";
            /**
             * Job Type
             * @constant
             */
            job_type: "completion";
            /** Model */
            model: string;
            status: components["schemas"]["Status"];
            /** Auto Start */
            auto_start: boolean;
            /** Created At */
            created_at: number;
            /** Modified At */
            modified_at: number;
            /** Training Files */
            training_files: string[];
            /** Validation Files */
            validation_files: string[];
            hyperparameters: components["schemas"]["HyperparametersReply"];
            /** Fine Tuned Model */
            fine_tuned_model: string | null;
            /** Suffix */
            suffix: string | null;
            /** Integrations */
            integrations: components["schemas"]["IntegrationReply"][];
            /** Trained Tokens */
            trained_tokens: number | null;
            metadata: components["schemas"]["PlanReply"];
            /** Repositories */
            repositories: string[];
            /** Events */
            events: components["schemas"]["EventReply"][];
            /** Checkpoints */
            checkpoints: components["schemas"]["CheckpointReply"][];
            /** Estimated Start Time */
            estimated_start_time: number | null;
        };
        /**
         * JobList
         * @description Jobs, newest first.
         */
        JobList: {
            /**
             * Object
             * @constant
             */
            object: "list";
            /** Total */
            total: number;
            /** Data */
            data: components["schemas"]["JobReply"][];
        };
        /**
         * JobReply
         * @description A job as a list shows it.
         */
        JobReply: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "job";
            /**
             * Job Type
             * @constant
             */
            job_type: "completion";
            /** Model */
            model: string;
            status: components["schemas"]["Status"];
            /** Auto Start */
            auto_start: boolean;
            /** Created At */
            created_at: number;
            /** Modified At */
            modified_at: number;
            /** Training Files */
            training_files: string[];
            /** Validation Files */
            validation_files: string[];
            hyperparameters: components["schemas"]["HyperparametersReply"];
            /** Fine Tuned Model */
            fine_tuned_model: string | null;
            /** Suffix */
            suffix: string | null;
            /** Integrations */
            integrations: components["schemas"]["IntegrationReply"][];
            /** Trained Tokens */
            trained_tokens: number | null;
            metadata: components["schemas"]["PlanReply"];
            /** Repositories */
            repositories: string[];
        };
        /**
         * JobRequest
         * @description A fine-tuning job, as `POST /v1/fine_tuning/jobs` takes it.
         */
        JobRequest: {
            /** Model */
            model: string;
            /**
             * @default {
             *       "learning_rate": 0.0001,
             *       "weight_decay": 0.1,
             *       "warmup_fraction": 0.05
             *     }
             */
            hyperparameters?: components["schemas"]["Hyperparameters"];
            /** Training Files */
            training_files: components["schemas"]["TrainingFile"][];
            /**
             * Validation Files
             * @default []
             */
            validation_files?: string[];
            /**
             * Suffix
             * @description Part of the new model's name.
             */
            suffix?: string | null;
            /**
             * Integrations
             * @default []
             */
            integrations?: components["schemas"]["Integration"][];
            /**
             * Auto Start
             * @description Whether to train as soon as the data is checked; left out, true for files given as plain ids, else false.
             */
            auto_start?: boolean | null;
            /**
             * Invalid Sample Skip Percentage
             * @description Share of the training rows that may be left out as too long.
             * @default 0
             */
            invalid_sample_skip_percentage?: number;
            /**
             * Job Type
             * @default completion
             * @constant
             */
            job_type?: "completion";
        };
        /**
         * LengthsReply
         * @description Tokens a sequence; `percentiles` holds p5, p25, p50, p75, p95 and p99.
         */
        LengthsReply: {
            /** Shortest */
            shortest: number;
            /** Longest */
            longest: number;
            /** Mean */
            mean: number;
            /** Percentiles */
            percentiles: {
                [key: string]: number;
            };
            /** Bins */
            bins: components["schemas"]["BinReply"][];
        };
        /**
         * LimitsReply
         * @description How much the server takes.
         */
        LimitsReply: {
            /** Max File Bytes */
            max_file_bytes: number;
            /** Max Body Bytes */
            max_body_bytes: number;
            /** Max Open Jobs */
            max_open_jobs: number;
            /** Max Parallel Chats */
            max_parallel_chats: number;
            /** Max Answer Tokens */
            max_answer_tokens: number;
            /** Max Sockets */
            max_sockets: number;
        };
        /**
         * LongRow
         * @description A row that is longer than wished.
         */
        LongRow: {
            /** Line */
            line: number;
            /** Num Tokens */
            num_tokens: number;
        };
        /**
         * MemoryReply
         * @description Bytes of main memory, and of the disk that holds the data directory.
         */
        MemoryReply: {
            /** Total Bytes */
            total_bytes: number;
            /** Available Bytes */
            available_bytes: number;
            /** Server Bytes */
            server_bytes: number;
            /** Disk Free Bytes */
            disk_free_bytes: number;
        };
        /**
         * ModelAnswer
         * @description What a model answered to a row.
         */
        ModelAnswer: {
            /** Text */
            text: string;
            /** Tool Calls */
            tool_calls: components["schemas"]["ToolCallResult"][];
            /**
             * Num Tokens
             * @description Generated tokens, the end-of-sequence token counted.
             */
            num_tokens: number;
            /**
             * Finish Reason
             * @enum {string}
             */
            finish_reason: "stop" | "length";
            /**
             * Scores
             * @description Empty where there is no right answer.
             */
            scores: {
                [key: string]: number;
            };
        };
        /**
         * ModelArchived
         * @description Whether a model may be asked.
         */
        ModelArchived: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "model";
            /** Archived */
            archived: boolean;
        };
        /**
         * ModelCard
         * @description A model in the list of models; the last fields are those of a fine-tuned one.
         */
        ModelCard: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "model";
            /** Created */
            created: number;
            /** Owned By */
            owned_by: string;
            capabilities: components["schemas"]["Capabilities"];
            /** Max Context Length */
            max_context_length: number | null;
            /** Name */
            name: string | null;
            /** Description */
            description: string | null;
            /** Aliases */
            aliases: string[];
            /** Default Model Temperature */
            default_model_temperature: number;
            /**
             * Type
             * @enum {string}
             */
            type: "base" | "fine-tuned";
            /** Job */
            job?: string;
            /** Root */
            root?: string;
            /** Archived */
            archived?: boolean;
        };
        /**
         * ModelChanges
         * @description What `PATCH /v1/fine_tuning/models/{id}` may change.
         */
        ModelChanges: {
            /** Name */
            name?: string | null;
            /** Description */
            description?: string | null;
        };
        /**
         * ModelDeleted
         * @description A model that is served no longer.
         */
        ModelDeleted: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "model";
            /**
             * Deleted
             * @constant
             */
            deleted: true;
        };
        /**
         * ModelList
         * @description All models.
         */
        ModelList: {
            /**
             * Object
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["ModelCard"][];
        };
        /**
         * NearDuplicatesReply
         * @description Rows that say nearly what an earlier row says; the first pairs, rows counted from 1.
         */
        NearDuplicatesReply: {
            /** File Id */
            file_id: string;
            /** Threshold */
            threshold: number;
            /** Num Rows */
            num_rows: number;
            /** Num Near Rows */
            num_near_rows: number;
            /** Pairs */
            pairs: components["schemas"]["NearPairReply"][];
        };
        /**
         * NearPairReply
         * @description Two rows that say nearly the same; `similarity` is that of their shingles, 0 to 1.
         */
        NearPairReply: {
            /** Row */
            row: number;
            /** Line */
            line: number;
            /** Earlier Row */
            earlier_row: number;
            /** Earlier Line */
            earlier_line: number;
            /** Similarity */
            similarity: number;
        };
        /**
         * Overlap
         * @description Evaluated rows that stand in the data that a run was trained or validated on.
         */
        Overlap: {
            /**
             * Train File
             * @description That data.
             */
            train_file: string;
            /**
             * Part
             * @description What the run used it for.
             * @default training
             * @enum {string}
             */
            part?: "training" | "validation";
            /**
             * Num Exact
             * @description Rows that say the same as a training row; None where they could not be compared.
             */
            num_exact?: number | null;
            /**
             * Num Near
             * @description Other rows that say nearly the same.
             */
            num_near?: number | null;
            /**
             * Problem
             * @description Why they could not be compared; empty where they were.
             * @default
             */
            problem?: string;
            /**
             * Rows
             * @description Numbers of the first hundred such rows.
             * @default []
             */
            rows?: number[];
        };
        /**
         * PlanReply
         * @description What a job will do; nothing but nulls before its data is checked.
         */
        PlanReply: {
            /** Expected Duration Seconds */
            expected_duration_seconds: number | null;
            /** Cost */
            cost: number | null;
            /** Cost Currency */
            cost_currency: string | null;
            /** Train Tokens Per Step */
            train_tokens_per_step: number | null;
            /** Train Tokens */
            train_tokens: number | null;
            /** Data Tokens */
            data_tokens: number | null;
            /** Estimated Start Time */
            estimated_start_time: number | null;
            /** Rows Per Step */
            rows_per_step: number | null;
            /** Num Rows */
            num_rows: number | null;
            /** Num Rows Left Out */
            num_rows_left_out: number | null;
            /** Memory Device */
            memory_device: ("gpu" | "cpu") | null;
            /** Memory Bytes */
            memory_bytes: number | null;
            /** Memory Free Bytes */
            memory_free_bytes: number | null;
            /** Disk Bytes */
            disk_bytes: number | null;
            /** Disk Free Bytes */
            disk_free_bytes: number | null;
        };
        /**
         * Progress
         * @description How far a job's present part is.
         */
        Progress: {
            /**
             * Text
             * @description What is being done.
             */
            text: string;
            /** Num Done */
            num_done: number;
            /**
             * Num Total
             * @description 0 stands for work that cannot be counted.
             */
            num_total: number;
        };
        /**
         * RefusalReply
         * @description An error: `message` says what, where and what to do; `detail` lists the problems of a 422.
         */
        RefusalReply: {
            /**
             * Object
             * @constant
             */
            object: "error";
            /** Message */
            message: string;
            /** Type */
            type: string;
            /** Param */
            param: null;
            /** Code */
            code: null;
            /** Detail */
            detail?: components["schemas"]["Detail"][];
        };
        /**
         * ReportReply
         * @description What a check found in a file: counts of everything, and the first findings of each kind.
         */
        ReportReply: {
            /** File Id */
            file_id: string;
            /** Format */
            format: string | null;
            /** Num Rows */
            num_rows: number;
            /** Num Errors */
            num_errors: number;
            /** Num Warnings */
            num_warnings: number;
            /** Num Hidden */
            num_hidden: number;
            /** Findings */
            findings: components["schemas"]["FindingReply"][];
        };
        /**
         * ResponseFormat
         * @description The form of the answer.
         */
        ResponseFormat: {
            /**
             * Type
             * @default text
             * @constant
             */
            type?: "text";
        };
        /**
         * RowList
         * @description Some rows of a file, in its order; `row` counts from 1.
         */
        RowList: {
            /** Total */
            total: number;
            /** Offset */
            offset: number;
            /** Rows */
            rows: components["schemas"]["RowReply"][];
        };
        /**
         * RowMessage
         * @description One message of a row.
         */
        RowMessage: {
            /**
             * Role
             * @enum {string}
             */
            role: "system" | "user" | "assistant" | "tool";
            /** Content */
            content: string;
            /** Is Trained */
            is_trained: boolean;
            /** Tool Calls */
            tool_calls?: components["schemas"]["RowToolCall"][];
            /** Tool Call Id */
            tool_call_id?: string;
            /** Name */
            name?: string;
        };
        /**
         * RowReply
         * @description A row; its sequences where a model was named, or why that model cannot read it.
         */
        RowReply: {
            /** Row */
            row: number;
            /** Line */
            line: number;
            /** Messages */
            messages: components["schemas"]["RowMessage"][];
            /** Tools */
            tools: {
                [key: string]: unknown;
            }[];
            /** Sequences */
            sequences: components["schemas"]["SequenceReply"][] | null;
            /** Problem */
            problem: string | null;
        };
        /**
         * RowToolCall
         * @description A tool call of a message; `arguments` is JSON as it stands in the file.
         */
        RowToolCall: {
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Arguments */
            arguments: string;
        };
        /**
         * RunDetails
         * @description All that a run says of itself.
         */
        RunDetails: {
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Job Id */
            job_id: string | null;
            /** Folder */
            folder: string;
            /** Status */
            status: string;
            /** Model */
            model: string;
            /** Started At */
            started_at: string;
            /** Num Steps */
            num_steps: number | null;
            /** Train Loss */
            train_loss: number | null;
            /** Val Loss */
            val_loss: number | null;
            /** Problem */
            problem: string | null;
            /** Config */
            config: string;
            /** Metadata */
            metadata: {
                [key: string]: unknown;
            };
            /** Metrics */
            metrics: {
                [key: string]: number | null;
            };
            /** Evaluations */
            evaluations: components["schemas"]["RunEvaluation"][];
            /** Files */
            files: components["schemas"]["RunFileReply"][];
        };
        /**
         * RunEvaluation
         * @description An evaluation that lies in the run.
         */
        RunEvaluation: {
            /** File */
            file: string;
            /** Eval File */
            eval_file: string;
            /** Evaluator */
            evaluator: string;
            /** Num Examples */
            num_examples: number;
            /** Metrics */
            metrics: {
                [key: string]: number;
            };
        };
        /**
         * RunFileReply
         * @description A file of a run.
         */
        RunFileReply: {
            /** Name */
            name: string;
            /** Num Bytes */
            num_bytes: number;
        };
        /**
         * RunList
         * @description Runs, newest first.
         */
        RunList: {
            /** Total */
            total: number;
            /** Runs */
            runs: components["schemas"]["RunReply"][];
        };
        /**
         * RunReply
         * @description A run in a line; `problem` says why a run cannot be read, and figures are null until they are known.
         */
        RunReply: {
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Job Id */
            job_id: string | null;
            /** Folder */
            folder: string;
            /** Status */
            status: string;
            /** Model */
            model: string;
            /** Started At */
            started_at: string;
            /** Num Steps */
            num_steps: number | null;
            /** Train Loss */
            train_loss: number | null;
            /** Val Loss */
            val_loss: number | null;
            /** Problem */
            problem: string | null;
        };
        /**
         * Segment
         * @description A stretch of text whose tokens are all trained, or all not.
         */
        Segment: {
            /** Text */
            text: string;
            /** Is Trained */
            is_trained: boolean;
            /** Num Tokens */
            num_tokens: number;
        };
        /**
         * SequenceReply
         * @description One sequence that a row renders to, as the model reads it.
         */
        SequenceReply: {
            /** Num Tokens */
            num_tokens: number;
            /** Num Trained Tokens */
            num_trained_tokens: number;
            /** Segments */
            segments: components["schemas"]["Segment"][];
        };
        /**
         * SeriesReply
         * @description The curves of a run behind `after_step`; thinned to the lowest and highest losses where there are many steps.
         */
        SeriesReply: {
            /** Run Id */
            run_id: string;
            /** Last Step */
            last_step: number;
            /** Num Steps Logged */
            num_steps_logged: number;
            /** Steps */
            steps: components["schemas"]["StepPoint"][];
            /** Validation */
            validation: components["schemas"]["ValidationPoint"][];
        };
        /**
         * ServerReply
         * @description The server at this moment.
         */
        ServerReply: {
            /** Version */
            version: string;
            /** Data Dir */
            data_dir: string;
            limits: components["schemas"]["LimitsReply"];
            device: components["schemas"]["DeviceReply"];
            memory: components["schemas"]["MemoryReply"];
            /** Num Open Jobs */
            num_open_jobs: number;
            /** Num Models Loaded */
            num_models_loaded: number;
            /** Num Chats Open */
            num_chats_open: number;
            /** Base Models */
            base_models: string[];
            /** Tuned Models */
            tuned_models: string[];
        };
        /**
         * Slice
         * @description Metrics of a group of rows that have the same value in a field.
         */
        Slice: {
            /** Field */
            field: string;
            /**
             * Value
             * @description The rows' value.
             */
            value: string;
            /** Num Examples */
            num_examples: number;
            /** Metrics */
            metrics: {
                [key: string]: number;
            };
            /** Intervals */
            intervals: {
                [key: string]: components["schemas"]["Interval"];
            };
        };
        /**
         * SliceComparison
         * @description Two models on a group of rows that have the same value in a field.
         */
        SliceComparison: {
            /** Field */
            field: string;
            /**
             * Value
             * @description The rows' value.
             */
            value: string;
            /** Num Examples */
            num_examples: number;
            /**
             * Base
             * @description Metrics of the base.
             */
            base: {
                [key: string]: number;
            };
            /** Fine Tuned */
            fine_tuned: {
                [key: string]: number;
            };
            /**
             * Differences
             * @description Of the metrics that have an interval in both.
             */
            differences: {
                [key: string]: components["schemas"]["Difference"];
            };
        };
        /**
         * SplitReply
         * @description The files that a split made; each keeps the name of the whole with its part.
         */
        SplitReply: {
            train: components["schemas"]["FileReply"];
            val: components["schemas"]["FileReply"] | null;
            test: components["schemas"]["FileReply"] | null;
            /** Num Duplicates */
            num_duplicates: number;
        };
        /**
         * SplitRequest
         * @description How to divide a file.
         */
        SplitRequest: {
            /**
             * Val
             * @description Share of the rows for validation.
             * @default 0.1
             */
            val?: number;
            /**
             * Test
             * @description Share of the rows for the test.
             * @default 0
             */
            test?: number;
            /**
             * Seed
             * @description Another seed makes another choice.
             * @default 42
             */
            seed?: number;
        };
        /**
         * StatisticsReply
         * @description What a file is like for a model.
         */
        StatisticsReply: {
            /** File Id */
            file_id: string;
            /** Model */
            model: string;
            /** Format */
            format: string | null;
            /** Num Rows */
            num_rows: number;
            /** Num Duplicates */
            num_duplicates: number;
            /** Num Refused */
            num_refused: number;
            /** Num Sequences */
            num_sequences: number;
            /** Num Tokens */
            num_tokens: number;
            /** Num Trained Tokens */
            num_trained_tokens: number;
            lengths: components["schemas"]["LengthsReply"];
            /** Max Length */
            max_length: number | null;
            /** Num Too Long */
            num_too_long: number;
            /** Too Long */
            too_long: components["schemas"]["LongRow"][];
            /** Refused */
            refused: components["schemas"]["FindingReply"][];
            /** Rows Per Step */
            rows_per_step: number;
            /** Steps Per Epoch */
            steps_per_epoch: number;
        };
        /**
         * Status
         * @description Where a job stands, in the words of the wire.
         * @enum {string}
         */
        Status: "QUEUED" | "VALIDATING" | "VALIDATED" | "RUNNING" | "CANCELLATION_REQUESTED" | "SUCCESS" | "FAILED" | "FAILED_VALIDATION" | "CANCELLED";
        /**
         * StepPoint
         * @description A logged step; losses in nats per trained token, null where something was not logged.
         */
        StepPoint: {
            /** Step */
            step: number;
            /** Loss */
            loss: number | null;
            /** Learning Rate */
            learning_rate: number | null;
            /** Tokens Per Second */
            tokens_per_second: number | null;
        };
        /**
         * StreamOptions
         * @description What OpenAI's clients say about streams; usage always comes with the last piece.
         */
        StreamOptions: {
            /**
             * Include Usage
             * @default true
             */
            include_usage?: boolean;
        };
        /**
         * ToolCall
         * @description One call of an assistant message.
         */
        ToolCall: {
            /**
             * Id
             * @default null
             */
            id?: string;
            /**
             * Type
             * @default function
             * @constant
             */
            type?: "function";
            function: components["schemas"]["FunctionCall"];
            /**
             * Index
             * @default 0
             */
            index?: number;
        };
        /**
         * ToolCallReply
         * @description A tool call; in a stream, with its place among them.
         */
        ToolCallReply: {
            /** Id */
            id: string;
            /**
             * Type
             * @constant
             */
            type: "function";
            function: components["schemas"]["CalledFunction"];
            /** Index */
            index?: number;
        };
        /**
         * ToolCallResult
         * @description A tool call as it stands in a predictions file.
         */
        ToolCallResult: {
            /** Name */
            name: string;
            /** Arguments */
            arguments: string;
        };
        /**
         * TrainingFile
         * @description One of the files to train on.
         */
        TrainingFile: {
            /** File Id */
            file_id: string;
            /**
             * Weight
             * @default 1
             */
            weight?: number;
        };
        /**
         * TunedModelReply
         * @description A fine-tuned model as its own routes tell it.
         */
        TunedModelReply: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "model";
            /** Created */
            created: number;
            /** Owned By */
            owned_by: string;
            capabilities: components["schemas"]["Capabilities"];
            /** Max Context Length */
            max_context_length: number | null;
            /** Name */
            name: string | null;
            /** Description */
            description: string | null;
            /** Aliases */
            aliases: string[];
            /** Job */
            job: string;
            /** Root */
            root: string;
            /** Archived */
            archived: boolean;
            /** Workspace Id */
            workspace_id: string;
            /** Root Version */
            root_version: string;
            /**
             * Model Type
             * @constant
             */
            model_type: "completion";
        };
        /**
         * Usage
         * @description Tokens read and written.
         */
        Usage: {
            /** Prompt Tokens */
            prompt_tokens: number;
            /** Completion Tokens */
            completion_tokens: number;
            /** Total Tokens */
            total_tokens: number;
        };
        /**
         * UsesReply
         * @description What was made with a file; of those that have not ended, how many.
         */
        UsesReply: {
            /** File Id */
            file_id: string;
            /** Num Open */
            num_open: number;
            /** Uses */
            uses: components["schemas"]["FileUse"][];
        };
        /**
         * ValidationPoint
         * @description A validated step.
         */
        ValidationPoint: {
            /** Step */
            step: number;
            /** Val Loss */
            val_loss: number | null;
            /** Val Accuracy */
            val_accuracy: number | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    list_files_v1_files_get: {
        parameters: {
            query?: {
                page?: number;
                page_size?: number;
                include_total?: boolean;
                sample_type?: string[] | null;
                source?: string[] | null;
                search?: string | null;
                purpose?: string | null;
                mimetypes?: string[] | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileList"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    upload_v1_files_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "multipart/form-data": {
                    /**
                     * Format: binary
                     * @description Rows, JSON Lines.
                     */
                    file: string;
                    /**
                     * @default fine-tune
                     * @enum {string}
                     */
                    purpose?: "fine-tune";
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    retrieve_v1_files__file_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    delete_v1_files__file_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileDeleted"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    content_v1_files__file_id__content_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    url_v1_files__file_id__url_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FileAddress"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    list_jobs_v1_fine_tuning_jobs_get: {
        parameters: {
            query?: {
                page?: number;
                page_size?: number;
                model?: string | null;
                created_after?: string | null;
                created_before?: string | null;
                created_by_me?: boolean | null;
                status?: string | null;
                wandb_project?: string | null;
                wandb_name?: string | null;
                suffix?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobList"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    create_v1_fine_tuning_jobs_post: {
        parameters: {
            query?: {
                dry_run?: boolean | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["JobRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobReply"] | components["schemas"]["DryRunReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    get_v1_fine_tuning_jobs__job_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobDetails"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    start_v1_fine_tuning_jobs__job_id__start_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobDetails"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    cancel_v1_fine_tuning_jobs__job_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobDetails"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    resume_api_jobs__job_id__resume_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobDetails"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    list_evaluations_api_evaluations_get: {
        parameters: {
            query?: {
                page?: number;
                page_size?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvaluationList"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    create_api_evaluations_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EvaluationRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvaluationReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    get_api_evaluations__job_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvaluationReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    delete_api_evaluations__job_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Deleted"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    rows_api_evaluations__job_id__rows_get: {
        parameters: {
            query?: {
                page?: number;
                page_size?: number;
            };
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvaluationRows"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    cancel_api_evaluations__job_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EvaluationReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    list_comparisons_api_comparisons_get: {
        parameters: {
            query?: {
                page?: number;
                page_size?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComparisonList"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    create_api_comparisons_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ComparisonRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComparisonReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    get_api_comparisons__job_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComparisonReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    delete_api_comparisons__job_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Deleted"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    rows_api_comparisons__job_id__rows_get: {
        parameters: {
            query?: {
                outcome?: ("win" | "tie" | "loss") | null;
                page?: number;
                page_size?: number;
            };
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComparisonRows"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    report_api_comparisons__job_id__report_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    cancel_api_comparisons__job_id__cancel_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ComparisonReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    list_models_v1_models_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelList"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    get_v1_models__model_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelCard"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    delete_v1_models__model_id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelDeleted"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    update_v1_fine_tuning_models__model_id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ModelChanges"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunedModelReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    archive_v1_fine_tuning_models__model_id__archive_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelArchived"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    unarchive_v1_fine_tuning_models__model_id__archive_delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelArchived"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    complete_v1_chat_completions_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChatRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChatReply"] | components["schemas"]["ChatPiece"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    metrics_metrics_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    sign_in_sign_in_get: {
        parameters: {
            query?: {
                code?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            303: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    sign_out_sign_out_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    report_api_files__file_id__report_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    statistics_api_files__file_id__statistics_get: {
        parameters: {
            query: {
                /** @description Public name of the model whose tokens are meant. */
                model: string;
                max_length?: number | null;
                rows_per_step?: number;
            };
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatisticsReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    near_duplicates_api_files__file_id__near_duplicates_get: {
        parameters: {
            query?: {
                threshold?: number;
            };
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NearDuplicatesReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    rows_api_files__file_id__rows_get: {
        parameters: {
            query?: {
                offset?: number;
                limit?: number;
                model?: string | null;
            };
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RowList"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    uses_api_files__file_id__uses_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UsesReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    split_api_files__file_id__split_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SplitRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SplitReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    convert_api_files__file_id__convert_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConversionRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConversionReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    fields_api_files__file_id__fields_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                file_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FieldsReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    list_all_api_runs_get: {
        parameters: {
            query?: {
                page?: number;
                page_size?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunList"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    get_api_runs__run_id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunDetails"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    metrics_api_runs__run_id__metrics_get: {
        parameters: {
            query?: {
                after_step?: number;
                max_points?: number;
            };
            header?: never;
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SeriesReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    file_api_runs__run_id__file_get: {
        parameters: {
            query: {
                name: string;
            };
            header?: never;
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    get_api_server_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerReply"];
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    docs_docs_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
    healthz_healthz_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: string;
                    };
                };
            };
            /** @description The request is refused. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
            /** @description The request is refused. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusalReply"];
                };
            };
        };
    };
}
